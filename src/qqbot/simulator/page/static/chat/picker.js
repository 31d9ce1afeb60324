/** Responsible for the list of people that an @ in the input opens, and for the name that is chosen from it. */

import { byId, element } from "../dom.js";

const MENTIONS = ["group", "channel"]; // scenes in which members can be mentioned
const STARTED = /(?:^|\s)@([^\s@]*)$/; // an @ and the beginning of a name, before the caret

export class Picker {
  #viewpoint;
  #text = byId("text");
  #list = byId("people");
  #names = [];
  #chosen = 0;

  constructor(viewpoint) {
    this.#viewpoint = viewpoint;
    for (const event of ["input", "click"]) this.#text.addEventListener(event, () => this.#look());
    this.#text.addEventListener("blur", () => this.close());
    viewpoint.addEventListener("change", () => this.close());
  }

  /** Uses a key while the list is open; returns whether it did. */
  press({ key }) {
    if (this.#names.length === 0) return false;
    const count = this.#names.length;
    if (key === "ArrowDown") this.#choose((this.#chosen + 1) % count);
    else if (key === "ArrowUp") this.#choose((this.#chosen + count - 1) % count);
    else if (key === "Enter" || key === "Tab") this.#insert(this.#names[this.#chosen]);
    else if (key === "Escape") this.close();
    else return false;
    return true;
  }

  close() {
    this.#show([]);
  }

  #look() {
    const { conversation, user } = this.#viewpoint;
    const begun = STARTED.exec(this.#beforeCaret())?.[1].toLowerCase();
    const open = begun !== undefined && MENTIONS.includes(conversation?.scene);
    const names = open ? conversation.members.map(({ name }) => name).filter((name) => name !== user) : [];
    this.#show(names.filter((name) => name.toLowerCase().startsWith(begun)));
  }

  #beforeCaret() {
    return this.#text.value.slice(0, this.#text.selectionStart);
  }

  #show(names) {
    this.#names = names;
    this.#list.hidden = names.length === 0;
    this.#list.replaceChildren(...names.map((name, index) => this.#draw(name, index)));
    this.#choose(0);
  }

  #draw(name, index) {
    const insert = (event) => (event.preventDefault(), this.#insert(name)); // the input keeps the focus
    return element("li", { id: `person-${index}`, role: "option", onmousedown: insert }, `@${name}`);
  }

  #choose(index) {
    this.#chosen = index;
    [...this.#list.children].forEach((item, place) => item.setAttribute("aria-selected", String(place === index)));
    const item = this.#list.children[index];
    if (item) this.#text.setAttribute("aria-activedescendant", item.id);
    else this.#text.removeAttribute("aria-activedescendant");
    item?.scrollIntoView({ block: "nearest" });
  }

  #insert(name) {
    const end = this.#text.selectionStart;
    const start = this.#beforeCaret().lastIndexOf("@");
    this.#text.setRangeText(`@${name} `, start, end, "end");
    this.close();
  }
}
