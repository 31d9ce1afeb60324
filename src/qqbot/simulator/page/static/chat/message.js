/** Responsible for the look of one message. Texts enter as text nodes; Markdown, files and cards have modules of their own. */

import { drawArk, drawEmbed, drawShared } from "./cards.js";
import { element } from "../dom.js";
import { hasWords, timeOfDay, words } from "../i18n.js";
import { markdown } from "./markdown.js";
import { drawAttachment, drawMedia } from "./media.js";
import { drawRemarks } from "./remarks.js";
import { faceName, withTags } from "./tags.js";
import { duration } from "./windows.js";

const QUOTE = 80; // characters of the quoted message that are shown
const PAUSE = 60; // seconds between two messages that are worth a word

/**
 * One message as a list item. `quoted` is the message it quotes or answers, if known; `before` the one
 * before it; `keyboard`, `chip` and `controls` are elements or `null`; `context` is for text tags; `react`
 * takes an emoji.
 */
export function drawMessage(message, { quoted, before, keyboard, chip, controls, mine, context, react }) {
  const parts = isSystem(message)
    ? [element(message.notice === "bot" ? "pre" : "p", {}, describe(message)), acknowledgement(message), clock(message)]
    : [
        head(message, controls),
        element("div", { class: "bubble" }, quote(message, quoted), ...body(message, context)),
        reactions(message, react),
        keyboard,
        chip,
      ];
  return element(
    "li",
    { class: `message ${message.from} ${message.kind}${mine ? " mine" : ""}`, "data-id": message.id },
    pause(message, before),
    ...parts,
    drawRemarks(message),
  );
}

function isSystem({ kind }) {
  return kind === "notice" || kind === "click";
}

function pause(message, before) {
  const passed = before ? Math.floor(message.at - before.at) : 0;
  const seconds = passed - (passed % 60); // whole minutes have passed
  return seconds >= PAUSE ? element("p", { class: "pause" }, words("later", { time: duration(seconds) })) : null;
}

/** What happened, in the page's language where the simulator named it. */
function describe({ kind, notice, author, button, text }) {
  if (kind === "click" && button) return words("pressed", { author, button });
  const name = `notice.${notice}`;
  return hasWords(name) ? words(name, { author, text: text ?? "" }) : text;
}

/** What came of a pressed button: `ack` is the code of the bot's answer, `null` as long as there is none. */
function acknowledgement({ kind, ack }) {
  if (kind !== "click" || ack === undefined) return null;
  if (ack === null) return element("span", {}, words("ack.waiting"));
  if (ack === 0) return element("span", { class: "good" }, words("ack.done"));
  return element("span", { class: "bad" }, words("ack.refused", { code: ack }));
}

function head(message, controls) {
  const { from, markdown: source, streaming, mention } = message;
  const tags = [
    from === "bot" && words("bot"),
    source && words("markdown"),
    streaming && words("streaming"),
    from === "user" && mention && message.scene !== "c2c" && message.scene !== "dms" && words("mentioned"),
  ];
  return element(
    "div",
    { class: "head" },
    element("span", { class: "author" }, message.author),
    ...tags.filter(Boolean).map((tag) => element("span", { class: "tag" }, tag)),
    clock(message),
    controls,
  );
}

function clock({ time }) {
  return element("time", { datetime: time }, timeOfDay(time));
}

function quote(message, quoted) {
  if (!quoted) return null;
  const text = summary(quoted);
  const sentence = message.quote ? "quoted" : "reply_to";
  return element("p", { class: "quote" }, words(sentence, { author: quoted.author, text }));
}

/** The beginning of what a message says. */
export function summary({ text, markdown: source, media, card, attachments = [] }) {
  const said = card?.prompt || source || text || "";
  const files = [media?.kind, ...attachments.map(({ filename }) => filename)].filter(Boolean).join(", ");
  const whole = said || (files && `[${files}]`);
  return whole.length > QUOTE ? `${whole.slice(0, QUOTE)}…` : whole;
}

function body(message, context) {
  const { text, markdown: source, media, attachments = [], ark, embed, card, streaming } = message;
  const said = ark || embed || card ? null : text;
  return [
    source ? element("div", { class: "markdown" }, ...markdown(source, context)) : null,
    !source && said ? element("p", { class: "text" }, ...withTags(said, context)) : null,
    streaming ? element("span", { class: "cursor", "aria-hidden": "true" }) : null,
    media ? drawMedia(media) : null,
    ...attachments.map(drawAttachment),
    ark ? drawArk(ark) : null,
    embed ? drawEmbed(embed) : null,
    card ? drawShared(card) : null,
  ];
}

function reactions({ id, reactions: given = {} }, react) {
  const entries = Object.entries(given);
  if (entries.length === 0) return null;
  const buttons = entries.map(([emoji, names]) => {
    const [type, face] = emoji.split(":");
    const label = `${faceName(type, face)} ${names.length}`;
    const title = names.join(", ");
    return element(
      "button",
      { type: "button", id: `react ${id} ${emoji}`, title, onclick: () => react(emoji) },
      label,
    );
  });
  return element("div", { class: "reactions" }, ...buttons);
}
