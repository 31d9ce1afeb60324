/**
 * Owns the look of one message. Everything in it is text: Markdown is shown as its source, and media as a
 * link that only the user can follow, so the page sends no request anywhere.
 */

import { element, link } from "./dom.js";
import { timeOfDay, words } from "./i18n.js";

const QUOTE = 80; // characters of the quoted message that are shown

/** One message as a list item. `quoted` is the message it answers, if known; `keyboard` an element or `null`. */
export function drawMessage(message, { quoted, keyboard, mine }) {
  const attributes = { class: `message ${message.from} ${message.kind}${mine ? " mine" : ""}`, "data-id": message.id };
  if (message.kind === "notice" || message.kind === "click") {
    return element("li", attributes, element("p", {}, message.text), acknowledgement(message), clock(message));
  }
  return element(
    "li",
    attributes,
    head(message),
    element("div", { class: "bubble" }, quote(quoted), ...body(message)),
    keyboard,
  );
}

/** What came of a pressed button: `ack` is the code of the bot's answer, `null` as long as there is none. */
function acknowledgement({ kind, ack }) {
  if (kind !== "click" || ack === undefined) return null;
  if (ack === null) return element("span", {}, words("ack.waiting"));
  if (ack === 0) return element("span", { class: "good" }, words("ack.done"));
  return element("span", { class: "bad" }, words("ack.refused", { code: ack }));
}

function head(message) {
  const tags = [message.from === "bot" && words("bot"), message.markdown && words("markdown")].filter(Boolean);
  return element(
    "div",
    { class: "head" },
    element("span", { class: "author" }, message.author),
    ...tags.map((tag) => element("span", { class: "tag" }, tag)),
    clock(message),
  );
}

function clock({ time }) {
  return element("time", { datetime: time }, timeOfDay(time));
}

function quote(quoted) {
  if (!quoted) return null;
  const text = textOf(quoted);
  const short = text.length > QUOTE ? `${text.slice(0, QUOTE)}…` : text;
  return element("p", { class: "quote" }, words("reply_to", { author: quoted.author, text: short }));
}

function body(message) {
  const text = textOf(message);
  return [text ? element("p", { class: "text" }, text) : null, message.media ? media(message.media) : null];
}

function textOf({ text, markdown }) {
  return markdown || text || "";
}

function media({ kind, url, name }) {
  const label = [words(`media.${kind}`), name].filter(Boolean).join(": ");
  return element("p", { class: "media" }, link(url ?? "", label));
}
