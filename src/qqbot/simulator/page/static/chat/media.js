/**
 * Responsible for how files in messages look. What the simulator keeps is shown; anything else is a link that only
 * the user can follow.
 */

import { element, link } from "../dom.js";
import { words } from "../i18n.js";

const FILES = "/_sim/files/";
const LIBRARY = "qqbot-media://image/v1/"; // images of the bot's library, kept under the same key
const UNPLAYABLE = /\.(silk|slk|amr)$/i;

/** The path of a file that the simulator keeps, `null` for any other address. An earlier run's port may differ. */
export function localPath(address) {
  if (address?.startsWith(LIBRARY)) return `${FILES}${encodeURIComponent(address.slice(LIBRARY.length))}/image`;
  const url = URL.parse(address ?? "");
  const isLocal = url && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname) && url.pathname.startsWith(FILES);
  return isLocal ? url.pathname : null;
}

/** What the bot sent: `{kind, url, name}`. */
export function drawMedia({ kind, url, name }) {
  return drawFile(kind, url, name);
}

/** What a user sent: an attachment as the platform writes it. */
export function drawAttachment({ content_type: type, url, filename, voice_wav_url: wav }) {
  return drawFile(kindOf(type ?? ""), wav || url, filename);
}

/** The kind of a file by its content type: `image`, `video`, `voice` or `file`. */
export function kindOf(type) {
  if (type.startsWith("image")) return "image";
  if (type.startsWith("video")) return "video";
  return type.startsWith("voice") || type.startsWith("audio") ? "voice" : "file";
}

function drawFile(kind, address, name) {
  const label = [words(`media.${kind}`), name].filter(Boolean).join(": ");
  const path = localPath(address);
  const shown = path && !UNPLAYABLE.test(path) ? show(kind, path, label) : null;
  if (!shown) return element("p", { class: "media" }, path ? saved(path, label) : link(address ?? "", label));
  // A file may be something else than it says, or a form that this browser does not know.
  shown.addEventListener("error", () => {
    figure.replaceChildren(saved(path, label), ` ${words("media.unplayable")}`);
  });
  const figure = element("div", { class: `media ${kind}` }, shown);
  return figure;
}

function show(kind, path, label) {
  const attributes = { src: path, "aria-label": label, controls: true, preload: "metadata" };
  if (kind === "image") return element("img", { src: path, alt: label });
  if (kind === "video") return element("video", attributes);
  return kind === "voice" ? element("audio", attributes) : null;
}

function saved(path, label) {
  return element("a", { href: path, download: "" }, label);
}
