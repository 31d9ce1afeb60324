/** Responsible for what a user can do with a message: quote it, take one's own back, put an emoji on it. */

import { element } from "../dom.js";
import { words } from "../i18n.js";

const EMOJI = ["2:128077", "2:10084", "2:127881"];

/** The controls of a message; `does` has `quote`, `recall` and `react`. */
export function drawControls(message, mine, does) {
  const control = (name, sign, act, label = words(name)) =>
    element("button", { type: "button", id: `${name} ${message.id}`, "aria-label": label, title: label, onclick: act }, sign);
  const canReact = message.scene === "channel";
  return element(
    "span",
    { class: "controls" },
    control("quote", "↩", does.quote),
    mine ? control("recall", "✕", does.recall) : null,
    ...(canReact ? EMOJI.map((emoji) => faceControl(message, emoji, does.react)) : []),
  );
}

function faceControl(message, emoji, react) {
  const face = String.fromCodePoint(Number(emoji.slice(2)));
  const label = words("react", { face });
  return element(
    "button",
    { type: "button", id: `put ${message.id} ${emoji}`, "aria-label": label, title: label, onclick: () => react(emoji) },
    face,
  );
}
