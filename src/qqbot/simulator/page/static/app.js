/** Responsible for the start of the page: reads the token, joins the parts, and shows which of them can be used now. */

import { mountBot } from "./inspector/bot.js";
import { mountClock } from "./inspector/clock.js";
import { Composer } from "./chat/composer.js";
import { Connection } from "./connection.js";
import { byId, element, report } from "./dom.js";
import { mountEvents } from "./inspector/events.js";
import { mountFaults } from "./inspector/faults.js";
import { mountLanguage, onLanguage, words } from "./i18n.js";
import { mountInspector } from "./inspector/inspector.js";
import { Keyboards } from "./chat/keyboard.js";
import { Log } from "./inspector/log.js";
import { mountPanes } from "./panes.js";
import { mountQuotas } from "./inspector/quotas.js";
import { mountSessions } from "./inspector/sessions.js";
import { mountSharing } from "./chat/sharing.js";
import { State } from "./state.js";
import { mountTabs } from "./tabs.js";
import { mountTheme } from "./theme.js";
import { mountTranscript } from "./chat/transcript.js";
import { mountTyping } from "./chat/typing.js";
import { Viewpoint } from "./chat/viewpoint.js";
import { Windows } from "./chat/windows.js";
import { mountWorlds } from "./chat/worlds.js";

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
  byId("workspace").hidden = byId("panes").hidden = byId("bot").hidden = byId("skip").hidden = reason !== null;
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
  const ask = (what, message, more) =>
    connection.command({ do: what, message: message.id, user: viewpoint.user, ...more });
  const press = (message, { id, render_data: { label } }) => ask("click", message, { button: id || label });
  const attempt = async (...asked) => {
    byId("chat-outcome").textContent = "";
    await ask(...asked).catch((error) => report(byId("chat-outcome"), "failed", error.message));
  };
  const fill = (...command) => composer.fill(...command);
  const does = {
    fill,
    quote: (message) => composer.quote(message),
    recall: (message) => attempt("recall", message),
    react: (message, emoji) => attempt("react", message, { emoji }),
  };
  mountSharing(state, composer);
  const windows = new Windows(state);
  new Log({ state, viewpoint, keyboards: new Keyboards({ press, fill }), windows, does });
}

mountTheme();
mountLanguage();
mountPanes();
mountBot(state);
mountWorlds(state, viewpoint, connection);
mountChat();
mountTyping(state, viewpoint);
mountQuotas(state, viewpoint);
mountTranscript(viewpoint, connection);
mountTabs();
mountInspector(state);
mountEvents(state, viewpoint, connection);
mountFaults(state, connection);
mountSessions(state, connection);
mountClock(state, connection);

onLanguage(showGate);
connection.addEventListener("status", showGate);
byId("retry").addEventListener("click", () => connection.connect());
window.addEventListener("hashchange", () => location.reload());
showGate();
if (token) connection.connect();
