/** Responsible for a message's keyboard: its buttons by rows, who may press them, and what came of the last press. */

import { element, link, report } from "../dom.js";
import { words } from "../i18n.js";

/** What a button does, as the wire names it in `action.type`; any other type needs the QQ client. */
const LINK = 0;
const CALLBACK = 1;
const COMMAND = 2;

/** Who may press a button, as the wire names it in `action.permission.type`. */
const NAMED = 0;
const ADMINS = 1;
const ROLES = 3;

/**
 * Draws keyboards and remembers their presses by message, so that a message that is drawn again still shows them.
 * `press(message, button)` sends the click and settles with it; `fill(text, enter, quoted)` writes a command
 * into the input.
 */
export class Keyboards {
  #outcomes = new Map();
  #pressed = new Set();
  #press;
  #fill;

  constructor({ press, fill }) {
    this.#press = press;
    this.#fill = fill;
  }

  /** The keyboard of a message as an element, or `null` when it has none; `me` is who would press. */
  draw(message, me) {
    const { keyboard } = message;
    if (!keyboard) return null;
    if (!keyboard.content) return element("p", { class: "template" }, words("button.template", { id: keyboard.id }));
    const line = element("p", { class: "outcome", role: "status" });
    this.#report(message, line);
    const rows = keyboard.content.rows.map(({ buttons }) =>
      element("div", { class: "row" }, ...buttons.map((button) => this.#button(message, button, me, line))),
    );
    return element("div", { class: "keyboard" }, ...rows, line);
  }

  #button(message, button, me, line) {
    const { style, label, visited_label: visited } = button.render_data;
    const { type, data, permission } = button.action;
    const shown = this.#pressed.has(keyOf(message, button)) ? visited || label : label;
    if (type === LINK) return link(data, shown);
    const act = { [CALLBACK]: () => this.#click(message, button, line), [COMMAND]: () => this.#write(message, button) }[type];
    const reason = act ? forbidden(permission, me) : "button.client";
    return element(
      "button",
      { type: "button", "data-style": style, disabled: reason !== null, onclick: () => confirmed(button) && act() },
      shown,
      reason ? element("span", { class: "why" }, words(reason)) : null,
    );
  }

  #write(message, { action: { data, enter, reply } }) {
    this.#fill(data, enter === true, reply === true ? message : null);
  }

  async #click(message, button, line) {
    const { label } = button.render_data;
    const showOutcome = (state, error) => {
      this.#outcomes.set(message.id, { state, label, error });
      this.#report(message, line);
    };
    showOutcome("pending");
    try {
      await this.#press(message, button);
      this.#pressed.add(keyOf(message, button));
      showOutcome("done");
    } catch (error) {
      showOutcome("failed", error.message);
    }
  }

  #report(message, line) {
    const outcome = this.#outcomes.get(message.id);
    if (!outcome) return;
    report(line, outcome.state, words(`button.${outcome.state}`, outcome));
  }
}

function keyOf(message, button) {
  return `${message.id}/${button.id ?? button.render_data.label}`;
}

/** Whether the user means it, where the button asks. */
function confirmed({ action: { modal } }) {
  return !modal?.content || window.confirm(modal.content);
}

/** The name of the sentence that says why this person may not press, `null` if they may. */
function forbidden(permission, me) {
  const { type, specify_user_ids: users = [], specify_role_ids: roles = [] } = permission ?? {};
  if (type === NAMED) return users.includes(me?.id) ? null : "button.named";
  if (type === ADMINS) return ["admin", "owner"].includes(me?.role) ? null : "button.admins";
  if (type === ROLES) return me?.roles.some((role) => roles.includes(role)) ? null : "button.roles";
  return null;
}
