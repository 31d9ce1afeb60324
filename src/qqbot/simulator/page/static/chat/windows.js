/** Responsible for the chip on each message of a user: how long the bot may still reply, and how often it has. */

import { element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

const SHORT = 60; // seconds: from here on each of them is counted

export class Windows {
  #state;
  #chips = new Map();

  constructor(state) {
    this.#state = state;
    setInterval(() => this.#tick(), 1000);
    state.addEventListener("clock", () => this.#tick());
    onLanguage(() => this.#tick());
  }

  /** The chip of a message, `null` if it cannot be replied to. */
  draw(message) {
    if (message.from !== "user" || message.kind === "click" || message.kind === "notice") return null;
    // A timer is not read out each time it changes.
    const chip = element("span", { class: "chip", role: "timer" });
    this.#chips.set(message.id, { chip, message });
    this.#write(chip, message);
    return chip;
  }

  /** Forgets all chips: the log is drawn again. */
  clear() {
    this.#chips.clear();
  }

  #tick() {
    for (const { chip, message } of this.#chips.values()) this.#write(chip, message);
  }

  #write(chip, { scene, at, replies }) {
    const { window, replies: most } = this.#state.limits[scene];
    const left = Math.ceil(at + window - this.#state.now());
    const used = most === null ? words("replies", { used: replies }) : words("replies.of", { used: replies, most });
    const full = most !== null && replies >= most;
    chip.dataset.state = left <= 0 ? "closed" : full ? "full" : left < SHORT ? "closing" : "open";
    const text = `${left <= 0 ? words("window.closed") : words("window.left", { time: duration(left) })} · ${used}`;
    if (chip.textContent !== text) chip.textContent = text;
  }
}

/** Seconds as a short text; a minute that has begun counts. */
export function duration(seconds) {
  if (seconds < SHORT) return words("seconds", { count: seconds });
  if (seconds < 3600) return words("minutes", { count: Math.ceil(seconds / 60) });
  if (seconds < 86400) return words("hours", { count: Math.round(seconds / 360) / 10 });
  return words("days", { count: Math.round(seconds / 8640) / 10 });
}
