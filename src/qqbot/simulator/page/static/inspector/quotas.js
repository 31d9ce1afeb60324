/** Responsible for the chips that say how many messages the bot may still send unasked to the open conversation. */

import { byId, element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

export function mountQuotas(state, viewpoint) {
  const draw = () => {
    const drawn = chips(state.quotas, viewpoint.conversation);
    byId("quotas").replaceChildren(...drawn);
    byId("quotas").parentElement.hidden = drawn.length === 0;
  };
  for (const part of ["snapshot", "quotas"]) state.addEventListener(part, draw);
  viewpoint.addEventListener("change", draw);
  onLanguage(draw);
}

function chips(quotas, open) {
  const quota = open && quotas.find(({ scene, conversation }) => scene === open.scene && conversation === open.id);
  if (!quota) return [];
  if (quota.refused) return [chip("full", words("quota.refused"))];
  return Object.entries(quota)
    .filter(([, allowance]) => allowance?.most)
    .map(([name, { left, most }]) => {
      const state = left === most ? "untouched" : left > 0 ? "open" : "full";
      return chip(state, words(`quota.${name}`, { left, most }));
    });
}

function chip(state, text) {
  return element("span", { class: "chip", "data-state": state }, text);
}
