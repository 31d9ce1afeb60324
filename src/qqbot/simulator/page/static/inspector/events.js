/** Responsible for the tab Events: any event that the platform knows, made up in a form and pushed to the bot. */

import { byId, element, report } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

export function mountEvents(state, viewpoint, connection) {
  const type = element("select", { id: "event-type" });
  const body = element("textarea", { id: "event-body", rows: "14", spellcheck: "false", class: "code" });
  const line = element("p", { class: "outcome", role: "status" });
  const attempt = async (act) => {
    try {
      report(line, "done", await act());
    } catch (error) {
      report(line, "failed", error.message);
    }
  };
  const template = async () => {
    const { scene, id } = viewpoint.conversation;
    const where = { scene, conversation: id, user: viewpoint.user };
    const { d } = await connection.command({ do: "template", type: type.value, ...where });
    body.value = JSON.stringify(d, null, 2);
    return "";
  };
  const push = async () => {
    const { event_id: id } = await connection.command({ do: "event", type: type.value, d: parsed(body.value) });
    return words("event.pushed", { id });
  };
  type.addEventListener("change", () => attempt(template));
  const form = element("form", { class: "stack", onsubmit: (event) => (event.preventDefault(), attempt(push)) });
  const draw = () => {
    form.replaceChildren(
      element("p", {}, words("events.what")),
      element("label", {}, element("span", {}, words("event.type")), type),
      element("label", {}, element("span", {}, words("event.body")), body),
      element(
        "div",
        { class: "choices" },
        element("button", { type: "submit", class: "primary" }, words("event.push")),
        element("button", { type: "button", onclick: () => attempt(template) }, words("event.template")),
      ),
      line,
    );
  };
  const offer = () => {
    if (type.options.length === state.events.length) return;
    type.replaceChildren(...state.events.map((name) => element("option", { value: name }, name)));
    attempt(template);
  };
  state.addEventListener("snapshot", offer);
  byId("events").append(form);
  onLanguage(draw);
  draw();
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(words("event.wrong", { error: error.message }));
  }
}
