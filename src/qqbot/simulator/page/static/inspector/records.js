/** Responsible for a list of records, newest first, each of which opens to its whole text. `draw` decides what a record shows. */

import { beforePaint, element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

/**
 * Keeps `panel` the list of `read()`, whose records are numbered by `n`. `draw(record)` gives the parts
 * of the line and, on opening, the `[title, text]` pairs below it.
 */
export class RecordList {
  #panel;
  #read;
  #draw;
  #none;
  #list = element("ol", { class: "records", reversed: true });
  #newest = -Infinity;

  constructor(panel, { read, draw, none }) {
    this.#panel = panel;
    this.#read = read;
    this.#draw = draw;
    this.#none = none;
    onLanguage(() => this.redraw());
  }

  /** Draws the records that have come since; those that the state no longer keeps go. */
  update = beforePaint(() => this.#update());

  redraw() {
    this.#list.replaceChildren();
    this.#newest = -Infinity;
    this.#update();
  }

  #update() {
    const records = this.#read();
    if (records.length === 0) return this.#panel.replaceChildren(element("p", { class: "empty" }, words(this.#none)));
    const fresh = records.filter(({ n }) => n > this.#newest);
    this.#newest = records.at(-1).n;
    this.#list.prepend(...fresh.reverse().map((record) => this.#item(record)));
    while (this.#list.childElementCount > records.length) this.#list.lastElementChild.remove();
    if (this.#list.parentElement !== this.#panel) this.#panel.replaceChildren(this.#list);
  }

  #item(record) {
    const { line, texts } = this.#draw(record);
    const details = element("details", {}, element("summary", {}, ...line));
    // Most records are never opened: their text is laid out when they are.
    details.addEventListener("toggle", () => details.append(...texts().map(section)), { once: true });
    return element("li", {}, details);
  }
}

function section([title, text]) {
  return element(
    "div",
    { class: "text" },
    title ? element("h3", {}, title) : null,
    element("pre", {}, text || words("nothing")),
  );
}
