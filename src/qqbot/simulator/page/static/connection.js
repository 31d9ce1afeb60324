/**
 * Responsible for the way to the simulator: the WebSocket with its authentication, reconnection and the answers to
 * commands, and the transfer of whole files. What the messages mean is for state.js.
 */

import { words } from "./i18n.js";

const FIRST_DELAY = 500; // milliseconds
const LONGEST_DELAY = 5000;
const POLICY_VIOLATION = 1008; // the close code for a token that is not this run's

/**
 * Fires `status` whenever `status` changes: `connecting`, `open`, `lost` (and trying again) or
 * `refused` (the token is wrong: no use in trying again).
 */
export class Connection extends EventTarget {
  status = "connecting";
  #token;
  #state;
  #socket = null;
  #pending = new Map();
  #lastCommand = 0;
  #delay = FIRST_DELAY;
  #timer = 0;

  constructor(token, state) {
    super();
    this.#token = token;
    this.#state = state;
  }

  /** Connects now, also when a later attempt was planned. */
  connect() {
    clearTimeout(this.#timer);
    if (this.#socket) return;
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/_sim/ws`);
    this.#socket = socket;
    socket.addEventListener("open", () => socket.send(JSON.stringify({ auth: this.#token })));
    socket.addEventListener("message", ({ data }) => this.#receive(JSON.parse(data)));
    socket.addEventListener("close", ({ code }) => this.#closed(code));
  }

  /** Sends a command (`{do: "say", ...}`) and resolves with the simulator's result. Throws its error. */
  async command(body) {
    if (this.status !== "open") throw new Error(words("disconnected"));
    const id = ++this.#lastCommand;
    const result = await new Promise((resolve, reject) => {
      this.#pending.set(id, { resolve, reject });
      this.#socket.send(JSON.stringify({ id, ...body }));
    });
    if (!result.ok) throw new Error(result.error);
    return result.value;
  }

  /** Gives the simulator a file and resolves with the address that a bot can fetch it from. */
  async upload(file) {
    const name = encodeURIComponent(file.name);
    const headers = file.type ? { "Content-Type": file.type } : {};
    const answer = await this.#fetch(`/_sim/files?name=${name}`, { method: "POST", body: file, headers });
    return (await answer.json()).url;
  }

  /** Resolves with the whole chat as JSON lines. */
  async savedChat() {
    return (await this.#fetch("/_sim/chat")).text();
  }

  /** Shows a saved chat; resolves with the number of its messages. */
  async openChat(text) {
    return (await (await this.#fetch("/_sim/chat", { method: "POST", body: text })).json()).messages;
  }

  async #fetch(path, options = {}) {
    const headers = { ...options.headers, Authorization: `Bearer ${this.#token}` };
    const answer = await fetch(path, { ...options, headers }).catch(() => {
      throw new Error(words("disconnected"));
    });
    if (!answer.ok) throw new Error((await answer.json()).error);
    return answer;
  }

  #receive(message) {
    if (message.kind === "snapshot") {
      this.#delay = FIRST_DELAY;
      this.#become("open");
      this.#state.replace(message.state);
    } else if (message.kind === "patch") {
      this.#state.patch(message.part, message.value);
    } else if (message.kind === "result") {
      this.#pending.get(message.id)?.resolve(message);
      this.#pending.delete(message.id);
    }
  }

  #closed(code) {
    this.#socket = null;
    for (const { reject } of this.#pending.values()) reject(new Error(words("disconnected")));
    this.#pending.clear();
    if (code === POLICY_VIOLATION) return this.#become("refused");
    this.#become("lost");
    this.#timer = setTimeout(() => this.connect(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
  }

  #become(status) {
    this.status = status;
    this.dispatchEvent(new Event("status"));
  }
}
