/** Responsible for the tab Shards: the sessions of the bot, a button that kills the connection of each, and the connections before. */

import { beforePaint, byId, element, keepingFocus, report } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

export function mountSessions(state, connection) {
  const line = element("p", { class: "outcome", role: "status" });
  const kill = async (index, count) => {
    const label = words("shard", { index, count });
    try {
      await connection.command({ do: "fault", kind: "drop", shard: index });
      report(line, "done", words("killed", { label }));
    } catch (error) {
      report(line, "failed", error.message);
    }
  };
  const panel = byId("sessions");
  const draw = beforePaint(() => keepingFocus(() => panel.replaceChildren(...content(state, kill), line)));
  for (const part of ["snapshot", "bot", "frames"]) state.addEventListener(part, draw);
  onLanguage(draw);
  draw();
}

function content({ bot, frames }, kill) {
  if (bot.connections.length === 0) return [element("p", { class: "empty" }, words("sessions.none"))];
  const { remaining, total, max_concurrency: concurrency } = bot.budget;
  return [
    element("p", {}, words("sessions.budget", { remaining, total, concurrency })),
    element("ul", { class: "sessions" }, ...bot.shards.map((session) => drawSession(session, frames, kill))),
    element("h3", {}, words("connections")),
    element("ol", { class: "connections", reversed: true }, ...bot.connections.toReversed().map(drawConnection)),
  ];
}

function drawSession({ shard: [index, count], state, session_id: id, seq }, frames, kill) {
  const label = words("shard", { index, count });
  const attributes = {
    type: "button",
    id: `kill ${index}`,
    "aria-label": words("kill.shard", { label }),
    disabled: state !== "ready",
    onclick: () => kill(index, count),
  };
  return element(
    "li",
    {},
    element("strong", {}, label),
    element("span", { class: state === "ready" ? "good" : "bad" }, words(`session.${state}`)),
    element("button", attributes, words("kill")),
    element("span", { class: "detail" }, words("session.detail", { id, seq: lastSeq(frames, index) ?? seq })),
  );
}

/** The number of the last event that a shard was sent. */
function lastSeq(frames, index) {
  const dispatch = frames.findLast(({ op, shard, direction }) => op === 0 && direction === "to_bot" && shard?.[0] === index);
  return dispatch && /"s":(\d+)/.exec(dispatch.json)?.[1];
}

function drawConnection({ number, shard, ready, closed_by: by, code }) {
  const where = shard ? words("shard", { index: shard[0], count: shard[1] }) : "";
  const name = by ? `connection.${by}` : ready ? "connection.ready" : "connection.open";
  return element(
    "li",
    {},
    element("span", {}, `#${number}`),
    element("span", { class: "scene" }, where),
    element("span", { class: ready ? "good" : "" }, words(name, { code })),
  );
}
