/** Responsible for what the tabs Frames and Calls say of each gateway frame and each HTTP call. */

import { byId, element } from "../dom.js";
import { timeOfDay, words } from "../i18n.js";
import { indent } from "./json.js";
import { RecordList } from "./records.js";

const OPERATIONS = {
  0: "DISPATCH",
  1: "HEARTBEAT",
  2: "IDENTIFY",
  6: "RESUME",
  7: "RECONNECT",
  9: "INVALID SESSION",
  10: "HELLO",
  11: "HEARTBEAT ACK",
};

export function mountInspector(state) {
  const frames = { read: () => state.frames, draw: drawFrame, none: "frames.none" };
  const calls = { read: () => state.calls, draw: drawCall, none: "calls.none" };
  mountList(state, "frames", frames);
  mountList(state, "calls", calls);
}

function mountList(state, part, description) {
  const list = new RecordList(byId(part), description);
  state.addEventListener(part, list.update);
  state.addEventListener("snapshot", () => list.redraw());
}

function drawFrame({ time, direction, shard, op, t, json }) {
  const arrow = direction === "to_bot" ? "↓" : "↑";
  const way = element("span", { class: `way ${direction}`, role: "img", "aria-label": words(direction) }, arrow);
  const name = element("span", { class: "what" }, t ?? operation(op));
  const where = shard && element("span", { class: "where" }, words("shard", { index: shard[0], count: shard[1] }));
  return { line: [way, name, where, clock(time)], texts: () => [[null, indent(json)]] };
}

function operation(op) {
  if (op === null) return words("frame.raw");
  return OPERATIONS[op] ?? `op ${op}`;
}

function drawCall({ time, method, path, status, code, request, answer }) {
  const good = status < 400 && !code;
  const result = element("span", { class: good ? "good" : "bad" }, code ? `${status} · ${code}` : `${status}`);
  const line = [result, element("span", { class: "what" }, `${method} ${path}`), clock(time)];
  return { line, texts: () => [[words("request"), indent(request)], [words("answer"), indent(answer)]] };
}

function clock(time) {
  return element("time", { datetime: time }, timeOfDay(time));
}
