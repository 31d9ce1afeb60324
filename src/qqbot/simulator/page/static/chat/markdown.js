/**
 * Responsible for Markdown: the vendored parser's tokens become elements. No markup of a message is ever parsed as
 * HTML, and a picture from elsewhere becomes a link, so the page sends no request anywhere.
 */

import { element, link } from "../dom.js";
import { words } from "../i18n.js";
import { localPath } from "./media.js";
import { withTags } from "./tags.js";
import markdownit from "../vendor/markdown-it.mjs";

// `<emoji:4>` is a face of QQ and no address in angle brackets.
const parser = markdownit({ html: false, linkify: false, breaks: true }).disable("autolink");

const PLAIN = new Set(["p", "em", "strong", "s", "ul", "li", "blockquote", "table", "thead", "tbody", "tr", "th", "td"]);
const SIZE = /\s*#(\d+)px\s+#(\d+)px\s*$/;
const HIGHEST = 1024; // pixels of a picture, whatever the message says

/** Markdown as a list of nodes. `context` is what text tags need (see tags.js). */
export function markdown(source, context) {
  return build(parser.parse(source, {}), context);
}

function build(tokens, context) {
  const root = element("div");
  const open = [root];
  for (const token of tokens) {
    if (token.nesting === -1) open.pop();
    else {
      const nodes = token.type === "inline" ? build(token.children, context) : draw(token, context);
      open.at(-1).append(...nodes);
      if (token.nesting === 1) open.push(nodes[0]);
    }
  }
  return [...root.childNodes];
}

const DRAWN = {
  text: ({ content }, context) => withTags(content, context),
  softbreak: () => [element("br")],
  hardbreak: () => [element("br")],
  hr: () => [element("hr")],
  code_inline: ({ content }) => [element("code", {}, content)],
  code_block: ({ content }) => [element("pre", {}, element("code", {}, content))],
  fence: ({ content }) => [element("pre", {}, element("code", {}, content))],
  ordered_list_open: (token) => [element("ol", { start: token.attrGet("start") })],
  heading_open: ({ tag }) => [element("p", { class: `heading ${tag}` })],
  link_open: (token) => [link(token.attrGet("href"), "")],
  image: (token) => [picture(token)],
};

function draw(token, context) {
  if (token.type in DRAWN) return DRAWN[token.type](token, context);
  if (token.hidden) return [element("span")]; // the paragraph of a tight list
  if (PLAIN.has(token.tag)) return [element(token.tag)];
  return token.content ? [document.createTextNode(token.content)] : [];
}

function picture(token) {
  const size = SIZE.exec(token.content);
  const name = token.content.replace(SIZE, "");
  const path = localPath(token.attrGet("src"));
  const label = [words("media.image"), name].filter(Boolean).join(": ");
  if (!path) return link(token.attrGet("src"), label);
  const [width, height] = size ? size.slice(1).map((pixels) => Math.min(pixels, HIGHEST)) : [];
  return element("img", { src: path, alt: label, width, height });
}
