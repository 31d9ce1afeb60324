/** Owns where the user of this page stands: the conversation that is open, and who they are in it. */

const NEWCOMER = "Alice"; // a name that is new to a conversation joins it by speaking

/** Fires `change` when the conversation or the member is another one. */
export class Viewpoint extends EventTarget {
  #state;
  #key = null;
  #users = new Map();

  constructor(state) {
    super();
    this.#state = state;
  }

  /** The open conversation; the first one until the user chooses; `null` when there is none. */
  get conversation() {
    const { conversations } = this.#state;
    return conversations.find((each) => keyOf(each) === this.#key) ?? conversations[0] ?? null;
  }

  /** The member whose messages and clicks are sent from here; the first one until the user chooses. */
  get user() {
    if (!this.conversation) return null;
    const chosen = this.#users.get(keyOf(this.conversation));
    return this.conversation.members.includes(chosen) ? chosen : (this.conversation.members[0] ?? NEWCOMER);
  }

  open(conversation) {
    this.#key = keyOf(conversation);
    this.dispatchEvent(new Event("change"));
  }

  become(user) {
    this.#users.set(keyOf(this.conversation), user);
    this.dispatchEvent(new Event("change"));
  }
}

/** What tells one conversation from all others. */
export function keyOf({ scene, id }) {
  return `${scene}/${id}`;
}
