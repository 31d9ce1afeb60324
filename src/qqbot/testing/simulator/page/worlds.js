/** Owns the left column: the conversations of the simulator and the choice of who I am in the open one. */

import { byId, element } from "./dom.js";
import { onLanguage, words } from "./i18n.js";
import { keyOf } from "./viewpoint.js";

export function mountWorlds(state, viewpoint) {
  const draw = () => {
    keepingFocus(() => {
      byId("conversations").replaceChildren(...state.conversations.map((each) => entry(each, viewpoint)));
      drawMembers(viewpoint);
    });
  };
  for (const part of ["snapshot", "conversations"]) state.addEventListener(part, draw);
  viewpoint.addEventListener("change", draw);
  onLanguage(draw);
}

function entry(conversation, viewpoint) {
  const button = element(
    "button",
    {
      type: "button",
      id: `open ${keyOf(conversation)}`,
      "aria-current": conversation === viewpoint.conversation && "true",
      onclick: () => viewpoint.open(conversation),
    },
    element("span", { class: "name" }, conversation.name),
    element("span", { class: "scene" }, words(`scene.${conversation.scene}`)),
  );
  return element("li", {}, button);
}

function drawMembers(viewpoint) {
  const fieldset = byId("members");
  const choices = viewpoint.conversation?.members.map((name) => choice(name, viewpoint)) ?? [];
  fieldset.hidden = choices.length === 0;
  fieldset.replaceChildren(fieldset.querySelector("legend"), ...choices);
}

function choice(name, viewpoint) {
  const radio = element("input", {
    type: "radio",
    name: "member",
    id: `be ${name}`,
    checked: name === viewpoint.user,
    onchange: () => viewpoint.become(name),
  });
  return element("label", {}, radio, element("span", {}, name));
}

/** Draws anew and gives the focus back to the control of the same id, so that the keyboard user stays in place. */
function keepingFocus(draw) {
  const { id } = document.activeElement;
  draw();
  if (id && document.activeElement === document.body) byId(id)?.focus();
}
