/** Owns a message's keyboard: its buttons by rows, what a press does, and what came of the last press. */

import { element, link } from "./dom.js";
import { words } from "./i18n.js";

/** What a button does, as the wire names it in `action.type`; any other type needs the QQ client. */
const LINK = 0;
const CALLBACK = 1;
const COMMAND = 2;

/**
 * Draws keyboards and remembers their presses by message, so that a message drawn anew still tells.
 * `press(message, button)` sends the click and settles with it; `fill(text, enter)` writes a command
 * into the input.
 */
export class Keyboards {
  #outcomes = new Map();
  #press;
  #fill;

  constructor({ press, fill }) {
    this.#press = press;
    this.#fill = fill;
  }

  /** The keyboard of a message as an element, or `null` when it has none. */
  draw(message) {
    const { keyboard } = message;
    if (!keyboard) return null;
    if (!keyboard.content) return element("p", { class: "template" }, words("button.template", { id: keyboard.id }));
    const report = element("p", { class: "outcome", role: "status" });
    this.#report(message, report);
    const rows = keyboard.content.rows.map(({ buttons }) =>
      element("div", { class: "row" }, ...buttons.map((button) => this.#button(message, button, report))),
    );
    return element("div", { class: "keyboard" }, ...rows, report);
  }

  #button(message, button, report) {
    const { label, style } = button.render_data;
    const { type, data, enter } = button.action;
    if (type === LINK) return link(data, label);
    const press = {
      [CALLBACK]: () => this.#click(message, button, report),
      [COMMAND]: () => this.#fill(data, enter === true),
    }[type];
    return element("button", { type: "button", "data-style": style, disabled: !press, onclick: press }, label);
  }

  async #click(message, button, report) {
    const { label } = button.render_data;
    const tell = (state, error) => {
      this.#outcomes.set(message.id, { state, label, error });
      this.#report(message, report);
    };
    tell("pending");
    try {
      await this.#press(message, button);
      tell("done");
    } catch (error) {
      tell("failed", error.message);
    }
  }

  #report(message, report) {
    const outcome = this.#outcomes.get(message.id);
    if (!outcome) return;
    report.dataset.state = outcome.state;
    report.textContent = words(`button.${outcome.state}`, outcome);
  }
}
