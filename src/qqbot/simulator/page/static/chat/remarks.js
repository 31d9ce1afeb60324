/** Responsible for the remarks at a message: why the bot did not answer it. */

import { element } from "../dom.js";
import { hasWords, words } from "../i18n.js";
import { intentNames } from "../inspector/bot.js";

/** The remarks of a message as a list, `null` if it has none. */
export function drawRemarks({ id, remarks = [] }) {
  const known = remarks.filter(({ kind }) => hasWords(`remark.${kind}`));
  if (known.length === 0) return null;
  const items = known.map((remark, index) => element("li", {}, ...draw(remark, `remark ${id} ${index}`)));
  return element("ul", { class: "remarks" }, ...items);
}

function draw(remark, id) {
  const sentence = words(`remark.${remark.kind}`, { ...remark, intents: intentNames(remark.intent ?? 0).join(", ") });
  if (remark.kind === "failed") return [folded(sentence, remark.text ?? "", id)];
  if (remark.kind === "refused") return [sentence, ...advice(remark)];
  return [sentence];
}

function folded(sentence, text, id) {
  const trace = element("pre", { tabindex: "0" }, text);
  return element("details", {}, element("summary", { id }, sentence), trace);
}

/** What to do about a refused call: the hint of the client if it reported one, else the command that has it. */
function advice({ code, hint }) {
  if (hint) return [element("p", { class: "hint" }, hint[words("hint.language")] ?? "")];
  return code ? [element("p", { class: "hint" }, words("remark.explain"), " ", element("code", {}, `qqbot explain ${code}`))] : [];
}
