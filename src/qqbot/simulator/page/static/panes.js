/** Responsible for which column a narrow screen shows. A wide screen shows all three, whatever is chosen here. */

import { byId } from "./dom.js";

export function mountPanes() {
  const buttons = byId("panes").querySelectorAll("button");
  const show = (pane) => {
    document.body.dataset.pane = pane;
    for (const button of buttons) {
      if (button.dataset.shows === pane) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
    }
  };
  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.shows));
  byId("conversations").addEventListener("click", ({ target }) => target.closest("button") && show("chat"));
  // Not by the address: what is behind its # is the token.
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    show("chat");
    byId("text").focus();
  });
  show("chat");
}
