/** Responsible for what I said here before, which the arrow keys bring back into the empty input. */

export class History {
  #state;
  #viewpoint;
  #shown = null; // the text that was brought back
  #back = 0; // how many messages it is ago

  constructor(state, viewpoint) {
    this.#state = state;
    this.#viewpoint = viewpoint;
  }

  /** The text that a key brings into an input with this `text`; `null` if the key has its usual meaning. */
  press({ key }, text) {
    if (key !== "ArrowUp" && key !== "ArrowDown") return null;
    const browsing = this.#shown !== null && text === this.#shown;
    if (!browsing && text !== "") return null;
    const back = (browsing ? this.#back : 0) + (key === "ArrowUp" ? 1 : -1);
    const said = this.#said();
    if (back < 0 || back > said.length) return null;
    this.#back = back;
    this.#shown = back === 0 ? "" : said.at(-back);
    return this.#shown;
  }

  /** My texts in this conversation, oldest first; one that I repeated counts once. */
  #said() {
    const { conversation, user } = this.#viewpoint;
    const mine = ({ from, author, kind, card, text }) =>
      from === "user" && author === user && kind === "text" && !card && text;
    const texts = conversation ? this.#state.messagesOf(conversation).filter(mine).map(({ text }) => text) : [];
    return texts.filter((text, index) => text !== texts[index - 1]);
  }
}
