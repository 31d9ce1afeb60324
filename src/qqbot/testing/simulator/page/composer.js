/** Owns the input below the chat: writing, the @ switch of a group, sending, and a message that failed. */

import { byId } from "./dom.js";
import { onLanguage, words } from "./i18n.js";

export class Composer {
  #state;
  #viewpoint;
  #connection;
  #text = byId("text");
  #mention = byId("mention");

  constructor(state, viewpoint, connection) {
    this.#state = state;
    this.#viewpoint = viewpoint;
    this.#connection = connection;
    const draw = () => this.#draw();
    for (const part of ["snapshot", "conversations", "bot"]) state.addEventListener(part, draw);
    viewpoint.addEventListener("change", draw);
    onLanguage(draw);
    this.#listen();
  }

  /** Writes a command into the input, as a button of type 2 does; `enter` sends it at once. */
  fill(text, enter) {
    this.#text.value = text;
    this.#text.focus();
    if (enter) byId("composer").requestSubmit();
  }

  #listen() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("keydown", (event) => {
      // While an input method composes, Enter chooses a word and does not send.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      byId("composer").requestSubmit();
    });
    this.#mention.addEventListener("click", () => {
      this.#mention.setAttribute("aria-pressed", String(!this.#mentions));
      this.#text.focus();
    });
  }

  get #mentions() {
    return this.#mention.getAttribute("aria-pressed") === "true";
  }

  #draw() {
    this.#mention.hidden = this.#viewpoint.conversation?.scene !== "group";
    this.#mention.textContent = words("mention", { name: this.#state.bot.name });
    this.#text.placeholder = words("write", { user: this.#viewpoint.user });
    this.#text.setAttribute("aria-label", this.#text.placeholder);
    byId("composer").hidden = !this.#viewpoint.conversation;
  }

  async #send() {
    const text = this.#text.value.trim();
    if (!text) return;
    this.#text.value = "";
    this.#fail(null);
    try {
      await this.#connection.command(this.#say(text));
    } catch (error) {
      this.#fail(error);
      this.#text.value ||= text;
    }
  }

  #say(text) {
    const { scene, id } = this.#viewpoint.conversation;
    const mention = scene === "group" && this.#mentions;
    return { do: "say", scene, conversation: id, user: this.#viewpoint.user, text, mention };
  }

  #fail(error) {
    byId("unsent").hidden = error === null;
    byId("unsent").textContent = error ? words("unsent", { error: error.message }) : "";
  }
}
