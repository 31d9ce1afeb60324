/** Responsible for the list of messages of the open conversation, where it is scrolled to, and what an empty one says. */

import { drawControls } from "./controls.js";
import { beforePaint, byId, element, keepingFocus } from "../dom.js";
import { onLanguage, words } from "../i18n.js";
import { drawMessage } from "../chat/message.js";
import { keyOf } from "../chat/viewpoint.js";

const NEAR_END = 80; // pixels: a user who has scrolled up further is reading, so do not scroll

/** `does` is what a message's controls do: `quote`, `recall`, `react`, each with the message; and `fill`. */
export class Log {
  #state;
  #viewpoint;
  #keyboards;
  #windows;
  #does;
  #view = null;
  #drawn = new Map();
  #following = true;
  #top = 0; // where the last scroll event found the log

  constructor({ state, viewpoint, keyboards, windows, does }) {
    this.#state = state;
    this.#viewpoint = viewpoint;
    this.#keyboards = keyboards;
    this.#windows = windows;
    this.#does = does;
    state.addEventListener("messages", beforePaint(() => this.#update()));
    state.addEventListener("bot", () => this.#drawSilence());
    const redraw = () => this.#redraw();
    state.addEventListener("snapshot", redraw);
    state.addEventListener("conversations", () => this.#view !== this.#viewNow() && redraw());
    viewpoint.addEventListener("change", redraw);
    onLanguage(redraw);
    // A picture takes its place as it arrives, and a window changes its size: a user at the end stays there.
    const resized = new ResizeObserver(() => this.#following && this.#toEnd());
    resized.observe(byId("messages"));
    resized.observe(byId("log"));
    byId("log").addEventListener("scroll", () => this.#scrolled());
  }

  /** Draws another conversation or language. A screen reader announces new messages, not this. */
  #redraw() {
    const log = byId("log");
    log.setAttribute("aria-busy", "true");
    const { conversation } = this.#viewpoint;
    this.#view = this.#viewNow();
    byId("conversation").textContent = conversation?.name ?? "";
    keepingFocus(() => {
      byId("messages").replaceChildren();
      this.#drawn.clear();
      this.#windows.clear();
      this.#following = true;
      this.#update();
    });
    requestAnimationFrame(() => log.removeAttribute("aria-busy"));
  }

  /** Draws the messages that are new or changed, and no others. */
  #update() {
    let before = null;
    keepingFocus(() => {
      for (const message of this.#messages()) {
        this.#place(message, before);
        before = message;
      }
    });
    this.#drawSilence();
    if (this.#following) this.#toEnd();
  }

  #place(message, before) {
    const drawn = this.#drawn.get(message.id);
    if (drawn?.message === message) return;
    const node = this.#draw(message, before);
    if (drawn) drawn.node.replaceWith(node);
    else byId("messages").append(node);
    this.#drawn.set(message.id, { message, node });
  }

  /** Stops following only if the user scrolled up: content that grows moves the end away as well. */
  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = byId("log");
    if (clientHeight === 0) return; // another column is shown
    if (scrollHeight - scrollTop - clientHeight < NEAR_END) this.#following = true;
    else if (scrollTop < this.#top) this.#following = false;
    this.#top = scrollTop;
  }

  #toEnd() {
    const log = byId("log");
    log.scrollTop = log.scrollHeight;
  }

  /** What all messages look like from: the conversation, and who looks at it. */
  #viewNow() {
    const { conversation, me } = this.#viewpoint;
    return conversation && `${keyOf(conversation)} ${JSON.stringify(me)}`;
  }

  #messages() {
    const { conversation } = this.#viewpoint;
    return conversation ? this.#state.messagesOf(conversation) : [];
  }

  #draw(message, before) {
    const mine = message.from === "user" && message.author === this.#viewpoint.user;
    const does = {
      quote: () => this.#does.quote(message),
      recall: () => this.#does.recall(message),
      react: (emoji) => this.#does.react(message, emoji),
    };
    return drawMessage(message, {
      quoted: this.#state.messages.get(message.quote ?? message.reply_to),
      before,
      keyboard: this.#keyboards.draw(message, this.#viewpoint.me),
      chip: this.#windows.draw(message),
      controls: drawControls(message, mine, does),
      mine,
      context: { nameOf: (id) => this.#nameOf(id), fill: this.#does.fill },
      react: does.react,
    });
  }

  /** Who is mentioned: a member of the conversation, else the bot, whose ids differ from group to group. */
  #nameOf(id) {
    const members = this.#viewpoint.conversation?.members ?? [];
    return members.find((member) => member.id === id)?.name ?? this.#state.bot.name;
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
    if (!this.#state.bot.online && !this.#state.webhook.url) {
      return [
        element("p", { class: "lead" }, words("silence.offline")),
        element("p", {}, words("silence.connect")),
        element("pre", {}, "qqbot simulate bot.py"),
      ];
    }
    const mentions = ["group", "channel"].includes(conversation.scene);
    return [
      element("p", { class: "lead" }, words("silence.hello")),
      element("p", {}, words(mentions ? "silence.mention" : "silence.private")),
    ];
  }
}
