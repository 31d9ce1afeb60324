/** Responsible for what the page remembers: for all visits, or for this tab alone. Works without storage; it then remembers nothing. */

const PREFIX = "qqbot.simulator.";

/** The remembered value, or `null`. */
export function recall(name) {
  return read(() => localStorage, name);
}

export function remember(name, value) {
  write(() => localStorage, name, value);
}

/** The value that this tab remembers, also when it is reloaded, or `null`. */
export function recallHere(name) {
  return read(() => sessionStorage, name);
}

export function rememberHere(name, value) {
  write(() => sessionStorage, name, value);
}

function read(storage, name) {
  try {
    return storage().getItem(PREFIX + name);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    storage().setItem(PREFIX + name, value);
  } catch {
    // Storage is blocked in this browser: the choice lasts as long as the page.
  }
}
