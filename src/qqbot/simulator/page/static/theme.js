/** Responsible for light and dark: the system's choice until the user makes one. Colours are in style.css. */

import { byId } from "./dom.js";
import { onLanguage, words } from "./i18n.js";
import { recall, remember } from "./settings.js";

const ORDER = ["system", "light", "dark"];
let theme = ORDER.includes(recall("theme")) ? recall("theme") : "system";

export function mountTheme() {
  byId("theme").addEventListener("click", () => {
    theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
    remember("theme", theme);
    show();
  });
  onLanguage(show);
  show();
}

function show() {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = words(`theme.${theme}`);
}
