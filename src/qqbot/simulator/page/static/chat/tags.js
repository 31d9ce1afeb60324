/** Responsible for the tags that QQ knows in texts: mentions, faces, and commands that fill the input. */

import { element } from "../dom.js";
import { words } from "../i18n.js";

const TAG =
  /<@!?(?<id>[\w-]+)>|<qqbot-at-user id="(?<user>[^"]*)"\s*\/>|(?<all>@everyone|<qqbot-at-everyone\s*\/>)|<emoji:(?<face>\d+)>|<qqbot-cmd-(?<does>enter|input) text="(?<text>[^"]*)"(?: show="(?<show>[^"]*)")?[^>]*\/>/g;

/**
 * Text as nodes. `context` has `nameOf(id)`, which says who is mentioned, and `fill(text, enter)`, which
 * writes a command into the input.
 */
export function withTags(text, context) {
  const nodes = [];
  let end = 0;
  for (const match of text.matchAll(TAG)) {
    nodes.push(text.slice(end, match.index), draw(match.groups, context));
    end = match.index + match[0].length;
  }
  nodes.push(text.slice(end));
  return nodes.filter((node) => node !== "");
}

function draw({ id, user, all, face, does, text, show }, { nameOf, fill }) {
  if (face) return element("span", { class: "face" }, faceName("1", face));
  if (all) return mention(words("everyone"));
  if (!does) return mention(nameOf(id ?? user));
  const command = decoded(text);
  const press = () => fill(command, does === "enter");
  return element("button", { type: "button", class: "command", onclick: press }, decoded(show || text));
}

function mention(name) {
  return element("span", { class: "mention" }, `@${name}`);
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** How an emoji looks: type 2 is a character by its number, type 1 a face that only QQ can draw. */
export function faceName(type, id) {
  const number = Number(id);
  if (type === "2") return number > 0 && number <= 0x10ffff ? String.fromCodePoint(number) : id;
  return words("face", { id });
}
