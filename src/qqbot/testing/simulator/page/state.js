/**
 * Owns the page's copy of the simulator's state. The simulator is the only truth: a snapshot replaces
 * everything, patches follow in order. Draws nothing.
 */

const KEPT = 500; // frames and calls; the simulator's own record is not cut by this

/**
 * Fires `snapshot` when all has changed, else the name of the part that a patch changed:
 * `bot`, `conversations`, `messages`, `frames` or `calls`.
 */
export class State extends EventTarget {
  bot = { name: "", online: false, intents: 0, shards: [] };
  conversations = [];
  messages = new Map();
  frames = [];
  calls = [];
  /** Whether no snapshot has arrived yet. */
  isEmpty = true;

  replace({ bot, conversations, messages, frames, calls }) {
    this.isEmpty = false;
    this.bot = bot;
    this.conversations = conversations;
    this.messages = new Map(messages.map((message) => [message.id, message]));
    this.frames = frames.slice(-KEPT);
    this.calls = calls.slice(-KEPT);
    this.dispatchEvent(new Event("snapshot"));
  }

  patch(part, value) {
    if (part === "messages") this.messages.set(value.id, value);
    else if (part === "frames" || part === "calls") this[part] = [...this[part], value].slice(-KEPT);
    else this[part] = value;
    this.dispatchEvent(new Event(part));
  }

  /** The messages of one conversation, oldest first. */
  messagesOf({ scene, id }) {
    return [...this.messages.values()].filter((message) => message.scene === scene && message.conversation === id);
  }
}
