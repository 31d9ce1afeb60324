/** Responsible for the input below the chat: writing, the @ switch, files, the quoted message, sending, and what failed. */

import { byId, element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";
import { History } from "./history.js";
import { kindOf } from "./media.js";
import { summary } from "./message.js";
import { Picker } from "./picker.js";

const MENTIONS = ["group", "channel"]; // scenes in which a message mentions the bot or does not
const CARDS = ["group", "c2c"]; // scenes in which people send cards

export class Composer {
  #state;
  #viewpoint;
  #connection;
  #text = byId("text");
  #mention = byId("mention");
  #files = [];
  #quoted = null;

  constructor(state, viewpoint, connection) {
    this.#state = state;
    this.#viewpoint = viewpoint;
    this.#connection = connection;
    const draw = () => this.#draw();
    for (const part of ["snapshot", "conversations", "bot"]) state.addEventListener(part, draw);
    viewpoint.addEventListener("change", () => {
      if (this.#quoted && !this.#isHere(this.#quoted)) this.#quoted = null;
      draw();
    });
    onLanguage(draw);
    this.#listen();
    this.#listenToFiles();
  }

  /** Writes a command into the input, as a button of type 2 does; `enter` sends it at once. */
  fill(text, enter, quoted = null) {
    this.#text.value = text;
    this.#text.focus();
    this.#quoted = quoted;
    this.#drawQuoted();
    if (enter) byId("composer").requestSubmit();
  }

  /** Lets the next message quote this one. */
  quote(message) {
    this.#quoted = message;
    this.#drawQuoted();
    this.#text.focus();
  }

  /** Sends a card, which goes alone: what is written or attached stays.  Throws the simulator's error. */
  async share(card) {
    await this.#connection.command({ ...this.#say({ text: "", quoted: null }), card });
  }

  #listen() {
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    const picker = new Picker(this.#viewpoint);
    const history = new History(this.#state, this.#viewpoint);
    this.#text.addEventListener("keydown", (event) => {
      // While an input method composes, Enter chooses a word and does not send.
      if (event.shiftKey || event.isComposing) return;
      if (picker.press(event)) return event.preventDefault();
      const said = history.press(event, this.#text.value);
      if (event.key !== "Enter" && said === null) return;
      event.preventDefault();
      if (said === null) return byId("composer").requestSubmit();
      this.#text.value = said;
    });
    this.#mention.addEventListener("click", () => {
      this.#mention.setAttribute("aria-pressed", String(!this.#mentions));
      this.#text.focus();
    });
  }

  #listenToFiles() {
    const input = byId("files");
    byId("attach").addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      this.#attach(input.files);
      input.value = "";
    });
    this.#text.addEventListener("paste", ({ clipboardData }) => this.#attach(clipboardData.files));
    const chat = byId("chat");
    const hover = (event, over) => {
      if (!event.dataTransfer.types.includes("Files")) return;
      event.preventDefault();
      chat.classList.toggle("dropping", over);
    };
    chat.addEventListener("dragover", (event) => hover(event, true));
    chat.addEventListener("dragleave", (event) => chat.contains(event.relatedTarget) || hover(event, false));
    chat.addEventListener("drop", (event) => {
      hover(event, false);
      this.#attach(event.dataTransfer.files);
    });
  }

  #attach(files) {
    this.#files.push(...files);
    this.#drawFiles();
    if (files.length) this.#text.focus();
  }

  get #mentions() {
    return this.#mention.getAttribute("aria-pressed") === "true";
  }

  #isHere({ scene, conversation }) {
    const open = this.#viewpoint.conversation;
    return open !== null && open.scene === scene && open.id === conversation;
  }

  #draw() {
    this.#mention.hidden = !MENTIONS.includes(this.#viewpoint.conversation?.scene);
    byId("share").hidden = !CARDS.includes(this.#viewpoint.conversation?.scene);
    this.#mention.textContent = words("mention", { name: this.#state.bot.name });
    this.#text.placeholder = words("write", { user: this.#viewpoint.user });
    this.#text.setAttribute("aria-label", this.#text.placeholder);
    byId("composer").hidden = !this.#viewpoint.conversation;
    this.#drawQuoted();
    this.#drawFiles();
  }

  #drawQuoted() {
    const quoting = byId("quoting");
    quoting.hidden = this.#quoted === null;
    if (!this.#quoted) return;
    const { author } = this.#quoted;
    const drop = () => {
      this.#quoted = null;
      this.#drawQuoted();
      this.#text.focus();
    };
    quoting.replaceChildren(
      element("span", {}, words("quoted", { author, text: summary(this.#quoted) })),
      element("button", { type: "button", "aria-label": words("quote.drop"), onclick: drop }, "✕"),
    );
  }

  #drawFiles() {
    byId("attached").hidden = this.#files.length === 0;
    byId("attached").replaceChildren(...this.#files.map((file) => this.#drawFile(file)));
  }

  #drawFile(file) {
    const drop = () => {
      this.#files = this.#files.filter((each) => each !== file);
      this.#drawFiles();
      this.#text.focus();
    };
    const label = words("attached.drop", { name: file.name });
    return element(
      "li",
      {},
      element("span", {}, `${words(`media.${kindOf(file.type)}`)}: ${file.name}`),
      element("button", { type: "button", "aria-label": label, onclick: drop }, "✕"),
    );
  }

  async #send() {
    const draft = { text: this.#text.value.trim(), files: this.#files, quoted: this.#quoted };
    if (!draft.text && draft.files.length === 0) return;
    const say = this.#say(draft);
    this.#keep({ text: "", files: [], quoted: null });
    this.#fail(null);
    try {
      const attachments = await Promise.all(draft.files.map((file) => this.#upload(file)));
      await this.#connection.command({ ...say, attachments });
    } catch (error) {
      this.#fail(error);
      if (!this.#text.value && this.#files.length === 0) this.#keep(draft);
    }
  }

  #keep({ text, files, quoted }) {
    this.#text.value = text;
    this.#files = files;
    this.#quoted = quoted;
    this.#drawFiles();
    this.#drawQuoted();
  }

  #say({ text, quoted }) {
    const { scene, id } = this.#viewpoint.conversation;
    const mention = MENTIONS.includes(scene) && this.#mentions;
    const quote = quoted && { quote: quoted.id };
    return { do: "say", scene, conversation: id, user: this.#viewpoint.user, text, mention, ...quote };
  }

  /** Gives a file to the simulator and resolves with the attachment that the platform would write. */
  async #upload(file) {
    const url = await this.#connection.upload(file);
    const attachment = { url, filename: file.name, size: file.size };
    const kind = kindOf(file.type);
    if (kind === "image") return { ...attachment, content_type: file.type, ...(await sizeOf(file)) };
    if (kind === "voice") return { ...attachment, content_type: "voice", voice_wav_url: url, asr_refer_text: "" };
    return { ...attachment, content_type: kind === "video" ? file.type : "file" };
  }

  #fail(error) {
    byId("unsent").hidden = error === null;
    byId("unsent").textContent = error ? words("unsent", { error: error.message }) : "";
  }
}

/** Width and height of a picture in pixels; nothing if it cannot be read. */
async function sizeOf(file) {
  try {
    const { width, height } = await createImageBitmap(file);
    return { width, height };
  } catch {
    return {};
  }
}
