/** Responsible for the left column: the conversations of the simulator, the choice of who I am in the open one, and new ones of both. */

import { byId, element, keepingFocus } from "../dom.js";
import { onLanguage, words } from "../i18n.js";
import { keyOf } from "./viewpoint.js";

const SCENES = ["group", "c2c", "channel", "dms"];
const ROLES = ["member", "admin", "owner"];
const SHARED = ["group", "channel"]; // scenes with more people than one

export function mountWorlds(state, viewpoint, connection) {
  const draw = () => {
    keepingFocus(() => {
      byId("conversations").replaceChildren(...state.conversations.map((each) => entry(each, viewpoint)));
      drawMembers(viewpoint);
      drawDelivery(viewpoint);
      drawPerson(viewpoint);
    });
  };
  for (const part of ["snapshot", "conversations"]) state.addEventListener(part, draw);
  viewpoint.addEventListener("change", draw);
  onLanguage(() => {
    drawChoices(byId("add").elements.scene, SCENES, "scene");
    drawChoices(byId("role"), ROLES, "role");
    draw();
  });
  drawChoices(byId("add").elements.scene, SCENES, "scene");
  drawChoices(byId("role"), ROLES, "role");
  mountForms(viewpoint, connection);
}

function entry(conversation, viewpoint) {
  const where = [words(`scene.${conversation.scene}`), conversation.guild].filter(Boolean).join(" · ");
  const button = element(
    "button",
    {
      type: "button",
      id: `open ${keyOf(conversation)}`,
      "aria-current": conversation === viewpoint.conversation && "true",
      onclick: () => viewpoint.open(conversation),
    },
    element("span", { class: "name" }, conversation.name),
    element("span", { class: "scene" }, where),
  );
  return element("li", {}, button);
}

function drawMembers(viewpoint) {
  const fieldset = byId("members");
  const choices = viewpoint.conversation?.members.map((member) => choice(member, viewpoint)) ?? [];
  fieldset.hidden = choices.length === 0;
  fieldset.replaceChildren(fieldset.querySelector("legend"), ...choices);
}

function choice({ name, role }, viewpoint) {
  const radio = element("input", {
    type: "radio",
    name: "member",
    id: `be ${name}`,
    checked: name === viewpoint.user,
    onchange: () => viewpoint.become(name),
  });
  const what = role === "member" ? null : element("span", { class: "scene" }, words(`role.${role}`));
  return element("label", {}, radio, element("span", { class: "name" }, name), what);
}

/** How the messages of a group arrive: its owner decides that. */
function drawDelivery({ conversation }) {
  const fieldset = byId("delivery");
  fieldset.hidden = conversation?.scene !== "group";
  for (const box of fieldset.querySelectorAll("input")) box.checked = conversation?.[box.name] === true;
}

function drawPerson(viewpoint) {
  byId("person").hidden = !SHARED.includes(viewpoint.conversation?.scene);
  byId("role-choice").hidden = !viewpoint.me;
  if (viewpoint.me) byId("role").value = viewpoint.me.role;
}

function drawChoices(select, values, sentence) {
  const chosen = select.value;
  select.replaceChildren(...values.map((value) => element("option", { value }, words(`${sentence}.${value}`))));
  select.value = chosen || values[0];
}

function mountForms(viewpoint, connection) {
  const change = async (body, command = "open") => {
    byId("unchanged").hidden = true;
    try {
      return await connection.command({ do: command, ...body });
    } catch (error) {
      byId("unchanged").textContent = error.message;
      byId("unchanged").hidden = false;
      return null;
    }
  };
  const here = () => ({ scene: viewpoint.conversation.scene, conversation: viewpoint.conversation.id });
  byId("add").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { scene, name } = byId("add").elements;
    const user = SHARED.includes(scene.value) ? viewpoint.user : name.value;
    const opened = await change({ scene: scene.value, conversation: name.value.trim(), user });
    if (!opened) return;
    name.value = "";
    viewpoint.open(opened);
  });
  byId("person").addEventListener("submit", async (event) => {
    event.preventDefault();
    const { name } = byId("person").elements;
    const user = name.value.trim();
    if (!user || !(await change({ ...here(), user }))) return;
    name.value = "";
    viewpoint.become(user);
  });
  byId("delivery").addEventListener("change", ({ target }) => {
    change({ conversation: viewpoint.conversation.id, [target.name]: target.checked }, "group");
  });
  byId("role").addEventListener("change", () => change({ ...here(), user: viewpoint.user, role: byId("role").value }));
}
