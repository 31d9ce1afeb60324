/** Responsible for the tabs of the right column: one panel at a time, chosen by a click or by the arrow keys. */

import { byId } from "./dom.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export function mountTabs() {
  const tabs = [...byId("tabs").querySelectorAll("[role=tab]")];
  const select = (chosen) => {
    for (const tab of tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute("aria-controls")).hidden = tab !== chosen;
    }
  };
  for (const tab of tabs) tab.addEventListener("click", () => select(tab));
  byId("tabs").addEventListener("keydown", ({ key, target }) => {
    if (!(key in STEPS)) return;
    const next = tabs.at((tabs.indexOf(target) + STEPS[key]) % tabs.length);
    select(next);
    next.focus();
  });
  select(tabs[0]);
}
