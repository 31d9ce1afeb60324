/**
 * Responsible for the language of the page and every sentence in it (words.en.js, words.zh.js). Texts of the simulator
 * itself (error messages) arrive ready made and are shown as they are.
 */

import { byId } from "./dom.js";
import { recall, remember } from "./settings.js";
import { EN } from "./words.en.js";
import { ZH } from "./words.zh.js";

/** The sentences by language and name. */
export const LANGUAGES = { en: EN, zh: ZH };
const listeners = new Set();
let language = initial();

function initial() {
  const remembered = recall("language");
  if (remembered in LANGUAGES) return remembered;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

/** The sentence of that name in the page's language, its `{places}` filled from `values`. */
export function words(name, values = {}) {
  return (LANGUAGES[language][name] ?? name).replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

/** Whether there is a sentence of that name. */
export function hasWords(name) {
  return name in LANGUAGES[language];
}

/** The time of day of an ISO date, as the page's language writes it. */
export function timeOfDay(iso) {
  return new Date(iso).toLocaleTimeString(language, { hour12: false });
}

/** Calls `listener` after each change of the language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

export function mountLanguage() {
  byId("language").addEventListener("click", () => {
    language = language === "en" ? "zh" : "en";
    remember("language", language);
    show();
    listeners.forEach((listener) => listener());
  });
  show();
}

/** Writes the sentences that index.html asks for by name. */
function show() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words("title");
  const other = byId("language");
  other.textContent = language === "en" ? "中文" : "English";
  other.lang = language === "en" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-words]")) node.textContent = words(node.dataset.words);
  for (const node of document.querySelectorAll("[data-words-label]")) {
    node.setAttribute("aria-label", words(node.dataset.wordsLabel));
  }
}
