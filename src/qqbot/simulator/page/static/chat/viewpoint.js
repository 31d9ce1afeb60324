/** Responsible for where the user of this tab stands: the conversation that is open, and who they are in it. */

import { recallHere, rememberHere } from "../settings.js";

const NEWCOMER = "Alice"; // a name that is new to a conversation joins it by speaking

/** Fires `change` when the conversation or the member is another one. */
export class Viewpoint extends EventTarget {
  #state;
  #key = recallHere("conversation");
  #users = new Map(JSON.parse(recallHere("users") ?? "[]"));

  constructor(state) {
    super();
    this.#state = state;
  }

  /** The open conversation; the first one until the user chooses; `null` when there is none. */
  get conversation() {
    const { conversations } = this.#state;
    return conversations.find((each) => keyOf(each) === this.#key) ?? conversations[0] ?? null;
  }

  /** The name of the member whose messages and clicks are sent from here; the first one until the user chooses. */
  get user() {
    if (!this.conversation) return null;
    return this.me?.name ?? this.conversation.members[0]?.name ?? NEWCOMER;
  }

  /** That member with id, role and roles; `null` for a name that has not joined yet. */
  get me() {
    const { conversation } = this;
    const chosen = conversation && this.#users.get(keyOf(conversation));
    return conversation?.members.find(({ name }) => name === chosen) ?? conversation?.members[0] ?? null;
  }

  open(conversation) {
    this.#key = keyOf(conversation);
    rememberHere("conversation", this.#key);
    this.dispatchEvent(new Event("change"));
  }

  become(user) {
    this.#users.set(keyOf(this.conversation), user);
    rememberHere("users", JSON.stringify([...this.#users]));
    this.dispatchEvent(new Event("change"));
  }
}

/** The key of a conversation, unique in this simulator. */
export function keyOf({ scene, id }) {
  return `${scene}/${id}`;
}
