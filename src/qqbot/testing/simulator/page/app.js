/** Owns the start of the page: reads the token, joins the parts, and shows which of them can be used now. */

import { mountBot } from "./bot.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, element } from "./dom.js";
import { mountFaults } from "./faults.js";
import { mountLanguage, onLanguage, words } from "./i18n.js";
import { mountInspector } from "./inspector.js";
import { Keyboards } from "./keyboard.js";
import { Log } from "./log.js";
import { mountPanes } from "./panes.js";
import { State } from "./state.js";
import { mountTabs } from "./tabs.js";
import { mountTheme } from "./theme.js";
import { Viewpoint } from "./viewpoint.js";
import { mountWorlds } from "./worlds.js";

const token = location.hash.slice(1);
const state = new State();
const connection = new Connection(token, state);
const viewpoint = new Viewpoint(state);

/** Shows the work space, or in its place the sentence that says why it cannot be used. */
function showGate() {
  const waiting = state.isEmpty && ["connecting", "lost"].includes(connection.status);
  const reason = !token ? "missing" : connection.status === "refused" ? "refused" : waiting ? "waiting" : null;
  byId("banner").hidden = connection.status !== "lost" || reason === "missing";
  byId("gate").hidden = reason === null;
  byId("workspace").hidden = byId("panes").hidden = byId("bot").hidden = reason !== null;
  byId("gate").replaceChildren(...(reason === "waiting" ? [element("p", {}, words("connecting"))] : help(reason)));
}

function help(reason) {
  if (reason === null) return [];
  return [
    element("h2", {}, words(`gate.${reason}`)),
    element("p", {}, words(`gate.${reason}.what`)),
    element("p", {}, words("gate.start")),
    element("pre", {}, "qqbot simulate"),
  ];
}

function mountChat() {
  const composer = new Composer(state, viewpoint, connection);
  const press = (message, { id, render_data: { label } }) =>
    connection.command({ do: "click", message: message.id, button: id ?? label, user: viewpoint.user });
  new Log(state, viewpoint, new Keyboards({ press, fill: (...command) => composer.fill(...command) }));
}

mountTheme();
mountLanguage();
mountPanes();
mountBot(state);
mountWorlds(state, viewpoint);
mountChat();
mountTabs();
mountInspector(state);
mountFaults(state, connection);

onLanguage(showGate);
connection.addEventListener("status", showGate);
byId("retry").addEventListener("click", () => connection.connect());
window.addEventListener("hashchange", () => location.reload());
showGate();
if (token) connection.connect();
