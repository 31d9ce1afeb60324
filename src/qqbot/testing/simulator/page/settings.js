/** Owns what the page remembers between visits. Works without storage; it then remembers nothing. */

const PREFIX = "qqbot.simulator.";

/** The remembered value, or `null`. */
export function recall(name) {
  try {
    return localStorage.getItem(PREFIX + name);
  } catch {
    return null;
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(PREFIX + name, value);
  } catch {
    // Storage is blocked in this browser: the choice lasts as long as the page.
  }
}
