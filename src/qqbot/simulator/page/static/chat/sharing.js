/** Responsible for the dialog in which a user makes a card: its type, the fields that go with it, and its sending. */

import { byId, element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

const FIELDS = ["title", "desc", "jump_url", "preview", "source", "tag"];
const FIELDS_OF = {
  map: ["title", "address", "jump_url"],
  contact_card: ["nickname", "desc", "avatar", "jump_url"],
};
const ADDRESSES = ["jump_url", "preview", "avatar"];

/** `composer` sends the card, from where the user of this tab stands. */
export function mountSharing(state, composer) {
  const dialog = byId("card");
  const form = byId("card-form");
  const type = form.elements.ark_type;
  const draw = () => {
    const chosen = type.value;
    type.replaceChildren(...state.card_types.map((each) => element("option", { value: each }, words(`card.${each}`))));
    type.value = state.card_types.includes(chosen) ? chosen : state.card_types[0];
    drawFields(type.value);
  };
  // A new snapshot must not take away the field that the user is writing in.
  state.addEventListener("snapshot", () => type.options.length === state.card_types.length || draw());
  onLanguage(draw);
  type.addEventListener("change", () => drawFields(type.value));
  byId("share").addEventListener("click", () => {
    fail(null);
    dialog.showModal();
  });
  byId("close-card").addEventListener("click", () => dialog.close());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    fail(null);
    try {
      await composer.share({ ark_type: type.value, fields: filled() });
    } catch (error) {
      fail(error);
      return;
    }
    for (const input of inputs()) input.value = "";
    dialog.close();
    byId("text").focus();
  });
}

/** Draws the fields that a type goes with; what was written into them stays. */
function drawFields(type) {
  const written = new Map(inputs().map(({ name, value }) => [name, value]));
  byId("card-fields").replaceChildren(...(FIELDS_OF[type] ?? FIELDS).map((name) => drawField(name, written.get(name))));
}

function drawField(name, value = "") {
  const input = element("input", {
    name,
    value,
    autocomplete: "off",
    inputmode: ADDRESSES.includes(name) && "url",
  });
  return element("label", {}, element("span", {}, words(`card.field.${name}`)), input);
}

function inputs() {
  return [...byId("card-fields").querySelectorAll("input")];
}

/** What was written, by the names of the fields.  Throws where there is nothing. */
function filled() {
  const values = inputs().map(({ name, value }) => [name, value.trim()]);
  const given = values.filter(([, value]) => value);
  if (given.length === 0) throw new Error(words("card.empty"));
  return Object.fromEntries(given);
}

function fail(error) {
  byId("card-unsent").hidden = error === null;
  byId("card-unsent").textContent = error ? words("unsent", { error: error.message }) : "";
}
