/**
 * Responsible for the page's copy of the simulator's state. The simulator is the only truth: a snapshot replaces
 * everything, patches follow in order. Draws nothing.
 */

const KEPT = 500; // frames and calls; the simulator's own record is not cut by this
const MESSAGES = 20000; // as many as the simulator keeps

/**
 * Fires `snapshot` when all has changed, else the name of the part that a patch changed, with its value as
 * `detail`: `bot`, `conversations`, `messages`, `frames`, `calls`, `clock`, `faults` or `quotas`; and `typing`,
 * which nothing is kept of: where the bot writes, and for how many seconds.
 */
export class State extends EventTarget {
  bot = { name: "", online: false, intents: 0, shards: [], connections: [], budget: null };
  conversations = [];
  messages = new Map();
  frames = [];
  calls = [];
  clock = { now: 0, ahead: 0, time: "" };
  limits = {};
  events = [];
  faults = [];
  quotas = [];
  webhook = { url: null, flaws: [] };
  fault_kinds = [];
  card_types = [];
  /** Whether no snapshot has arrived yet. */
  isEmpty = true;
  #clockRead = 0;

  replace(snapshot) {
    this.isEmpty = false;
    Object.assign(this, snapshot, {
      messages: new Map(snapshot.messages.map((message) => [message.id, message])),
      frames: snapshot.frames.slice(-KEPT),
      calls: snapshot.calls.slice(-KEPT),
    });
    this.#clockRead = performance.now();
    this.dispatchEvent(new Event("snapshot"));
  }

  patch(part, value) {
    if (part === "messages") this.#keep(value);
    else if (part === "frames" || part === "calls") this[part] = [...this[part], value].slice(-KEPT);
    else if (part !== "typing") this[part] = value;
    if (part === "clock") this.#clockRead = performance.now();
    this.dispatchEvent(new CustomEvent(part, { detail: value }));
  }

  #keep(message) {
    this.messages.set(message.id, message);
    if (this.messages.size > MESSAGES) this.messages.delete(this.messages.keys().next().value);
  }

  /** The business time of the simulator, in seconds: what reply windows are measured by. */
  now() {
    return this.clock.now + (performance.now() - this.#clockRead) / 1000;
  }

  /** The messages of one conversation, oldest first. */
  messagesOf({ scene, id }) {
    return [...this.messages.values()].filter((message) => message.scene === scene && message.conversation === id);
  }
}
