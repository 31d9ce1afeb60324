/** Owns the list of messages of the open conversation, where it is scrolled to, and what an empty one says. */

import { beforePaint, byId, element } from "./dom.js";
import { onLanguage, words } from "./i18n.js";
import { drawMessage } from "./message.js";
import { keyOf } from "./viewpoint.js";

const NEAR_END = 80; // pixels: whoever has scrolled up further is reading, and is left there

export class Log {
  #state;
  #viewpoint;
  #keyboards;
  #conversation = null;
  #drawn = new Map();

  constructor(state, viewpoint, keyboards) {
    this.#state = state;
    this.#viewpoint = viewpoint;
    this.#keyboards = keyboards;
    state.addEventListener("messages", beforePaint(() => this.#update()));
    state.addEventListener("bot", () => this.#drawSilence());
    const redraw = () => this.#redraw();
    state.addEventListener("snapshot", redraw);
    state.addEventListener("conversations", () => this.#conversation !== this.#key() && redraw());
    viewpoint.addEventListener("change", redraw);
    onLanguage(redraw);
  }

  /** Draws another conversation or language. A screen reader hears new messages, not this. */
  #redraw() {
    const log = byId("log");
    log.setAttribute("aria-busy", "true");
    const { conversation } = this.#viewpoint;
    this.#conversation = this.#key();
    byId("conversation").textContent = conversation?.name ?? "";
    byId("messages").replaceChildren();
    this.#drawn.clear();
    this.#update();
    log.scrollTop = log.scrollHeight;
    requestAnimationFrame(() => log.removeAttribute("aria-busy"));
  }

  /** Draws the messages that are new or changed, and no others. */
  #update() {
    const log = byId("log");
    const following = log.scrollHeight - log.scrollTop - log.clientHeight < NEAR_END;
    for (const message of this.#messages()) {
      const before = this.#drawn.get(message.id);
      if (before?.message === message) continue;
      const node = this.#draw(message);
      if (before) before.node.replaceWith(node);
      else byId("messages").append(node);
      this.#drawn.set(message.id, { message, node });
    }
    this.#drawSilence();
    if (following) log.scrollTop = log.scrollHeight;
  }

  #key() {
    const { conversation } = this.#viewpoint;
    return conversation && keyOf(conversation);
  }

  #messages() {
    const { conversation } = this.#viewpoint;
    return conversation ? this.#state.messagesOf(conversation) : [];
  }

  #draw(message) {
    return drawMessage(message, {
      quoted: this.#state.messages.get(message.reply_to),
      keyboard: this.#keyboards.draw(message),
      mine: message.from === "user" && message.author === this.#viewpoint.user,
    });
  }

  #drawSilence() {
    const silence = byId("silence");
    silence.hidden = this.#drawn.size > 0;
    if (!silence.hidden) silence.replaceChildren(...this.#explain());
  }

  /** What to do next in a conversation where nothing was said yet. */
  #explain() {
    const { conversation } = this.#viewpoint;
    if (!conversation) return [element("p", {}, words("silence.nowhere"))];
    if (!this.#state.bot.online) {
      return [
        element("p", { class: "lead" }, words("silence.offline")),
        element("p", {}, words("silence.connect")),
        element("pre", {}, "qqbot simulate bot.py"),
      ];
    }
    return [
      element("p", { class: "lead" }, words("silence.hello")),
      element("p", {}, words(`silence.${conversation.scene}`)),
    ];
  }
}
