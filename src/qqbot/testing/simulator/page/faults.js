/** Owns the tab Faults: a button for each way to break the connection, and what came of the last one. */

import { byId, element } from "./dom.js";
import { onLanguage, words } from "./i18n.js";

/** The faults by the name of their sentence, as the simulator's control API writes them. */
const FAULTS = {
  close: { kind: "close", code: 4009 },
  op7: { kind: "op7" },
  op9_resumable: { kind: "op9", resumable: true },
  op9: { kind: "op9", resumable: false },
  drop: { kind: "drop" },
  stop_acks: { kind: "stop_acks" },
  banned: { kind: "close", code: 4914 },
  clear: { kind: "clear" },
};

export function mountFaults(state, connection) {
  const shard = element("select", { id: "shard" });
  const report = element("p", { class: "outcome", role: "status" });
  const inject = async (name) => {
    const label = words(`fault.${name}`);
    try {
      await connection.command({ do: "fault", ...FAULTS[name], ...(shard.value && { shard: Number(shard.value) }) });
      tell(report, "done", { label });
    } catch (error) {
      tell(report, "failed", { label, error: error.message });
    }
  };
  const draw = () => {
    byId("faults").replaceChildren(element("p", {}, words("faults.what")), choice(shard), buttons(inject), report);
    drawShards(shard, state.bot.shards);
  };
  onLanguage(draw);
  draw();
  for (const part of ["snapshot", "bot"]) state.addEventListener(part, () => drawShards(shard, state.bot.shards));
}

function choice(shard) {
  return element("label", { class: "choice" }, words("faults.shard"), shard);
}

function buttons(inject) {
  const items = Object.keys(FAULTS).map((name) => {
    const what = element("p", { id: `what-${name}` }, words(`fault.${name}.what`));
    const attributes = { type: "button", "aria-describedby": what.id, onclick: () => inject(name) };
    return element("li", {}, element("button", attributes, words(`fault.${name}`)), what);
  });
  return element("ul", { class: "faults" }, ...items);
}

/** Offers the shards that are connected and keeps the choice; with one shard there is nothing to choose. */
function drawShards(select, shards) {
  const chosen = select.value;
  const options = shards.map(({ shard: [index, count] }) =>
    element("option", { value: index }, words("shard", { index, count })),
  );
  select.replaceChildren(element("option", { value: "" }, words("faults.all")), ...options);
  if (shards.some(({ shard: [index] }) => String(index) === chosen)) select.value = chosen;
  select.parentElement.hidden = shards.length < 2;
}

function tell(report, state, values) {
  report.dataset.state = state;
  report.textContent = words(`fault.${state}`, values);
}
