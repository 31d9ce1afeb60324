/** Responsible for how cards look: what users share, and of the bot arks, made from templates, and embeds, which have lines. */

import { element, link } from "../dom.js";
import { hasWords, words } from "../i18n.js";
import { drawMedia } from "./media.js";

const TITLES = ["#METATITLE#", "#TITLE#", "#DESC#"];
const LINES = ["#SUBTITLE#", "#METASUBTITLE#", "#METADESC#"];
const ADDRESSES = ["#LINK#", "#METAURL#", "#URL#", "#IMG#", "#METACOVER#"];

/** A card that a user sent: what it is and from where, its title with its address, its lines, its picture. */
export function drawShared({ ark_type: type, ark_name: name, fields }) {
  const given = (...keys) => keys.flatMap((key) => fields[key] ?? []).filter((value) => value && typeof value === "string");
  const [title] = given("title", "nickname", "jump_url");
  const [address] = given("jump_url");
  const kind = hasWords(`card.${type}`) ? words(`card.${type}`) : name;
  const pictures = given("preview", "avatar").map((url) => drawMedia({ kind: "image", url, name: title }));
  return element(
    "div",
    { class: "card" },
    element("p", { class: "kind" }, [kind, ...given("source", "tag", "tags")].join(" · ")),
    title ? element("p", { class: "heading" }, address ? link(address, title) : title) : null,
    ...given("desc", "address").map((line) => element("p", {}, line)),
    ...pictures,
  );
}

/** An ark: its title, lines, list and addresses, by the keys that the platform's templates share. */
export function drawArk({ template_id: id, kv = [] }) {
  const values = new Map(kv.map(({ key, value }) => [key, value]));
  const given = (keys) => keys.map((key) => values.get(key)).filter(Boolean);
  const [title, ...more] = given(TITLES);
  const items = kv.flatMap(({ obj = [] }) => obj.map(drawItem));
  return element(
    "div",
    { class: "card" },
    element("p", { class: "kind" }, words("ark", { id })),
    title ? element("p", { class: "heading" }, title) : null,
    ...[...more, ...given(LINES)].map((line) => element("p", {}, line)),
    items.length ? element("ul", {}, ...items) : null,
    ...given(ADDRESSES).map((address) => element("p", { class: "address" }, link(address, address))),
  );
}

function drawItem({ obj_kv: pairs = [] }) {
  const values = Object.fromEntries(pairs.map(({ key, value }) => [key, value]));
  const label = values.desc ?? "";
  return element("li", {}, values.link ? link(values.link, label || values.link) : label);
}

/** An embed: title, description and lines. */
export function drawEmbed({ title, description, fields = [], thumbnail }) {
  const address = thumbnail?.url;
  return element(
    "div",
    { class: "card" },
    element("p", { class: "kind" }, words("embed")),
    title ? element("p", { class: "heading" }, title) : null,
    description ? element("p", {}, description) : null,
    ...fields.map(({ name, value }) => element("p", {}, [name, value].filter(Boolean).join(" "))),
    address ? element("p", { class: "address" }, link(address, words("media.image"))) : null,
  );
}
