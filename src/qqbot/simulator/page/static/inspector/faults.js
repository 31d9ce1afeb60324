/** Responsible for the tab Faults: a button for each common way to break the connection, the review of messages, and the rules. */

import { byId, element, report } from "../dom.js";
import { onLanguage, words } from "../i18n.js";
import { drawRuleForm, drawRules } from "./rules.js";

/** What the buttons do, by the name of their sentence, as the simulator takes it from pages. */
const FAULTS = {
  close: { do: "fault", kind: "close", code: 4009 },
  op7: { do: "fault", kind: "op7" },
  op9_resumable: { do: "fault", kind: "op9", resumable: true },
  op9: { do: "fault", kind: "op9", resumable: false },
  drop: { do: "fault", kind: "drop" },
  stop_acks: { do: "fault", kind: "stop_acks" },
  half_open: { do: "fault", kind: "half_open" },
  banned: { do: "fault", kind: "close", code: 4914 },
  audit_pass: { do: "audit", passes: true },
  audit_reject: { do: "audit", passes: false },
  clear: { do: "fault", kind: "clear" },
};

const OF_ALL = ["audit_pass", "audit_reject", "clear"]; // these are of no one shard

export function mountFaults(state, connection) {
  const shard = element("select", { id: "shard" });
  const line = element("p", { class: "outcome", role: "status" });
  const rules = element("div");
  const command = async (label, body) => {
    try {
      await connection.command(body);
      report(line, "done", words("fault.done", { label }));
    } catch (error) {
      report(line, "failed", words("fault.failed", { label, error: error.message }));
    }
  };
  const inject = (name) => {
    const where = shard.value && !OF_ALL.includes(name) ? { shard: Number(shard.value) } : {};
    return command(words(`fault.${name}`), { ...FAULTS[name], ...where });
  };
  const add = (rule) => command(words(`kind.${rule.kind}`), { do: "fault", ...rule });
  const draw = () => {
    const content = [
      element("p", {}, words("faults.what")),
      choice(shard),
      buttons(Object.keys(FAULTS), inject),
      webhookButtons(state.webhook, command),
      drawRuleForm(state.fault_kinds, add),
      line,
      rules,
    ];
    byId("faults").replaceChildren(...content.filter((each) => each !== null));
    drawShards(shard, state.bot.shards);
    drawRules(rules, state.faults);
  };
  onLanguage(draw);
  state.addEventListener("snapshot", draw);
  state.addEventListener("bot", () => drawShards(shard, state.bot.shards));
  state.addEventListener("faults", () => drawRules(rules, state.faults));
  draw();
}

function choice(shard) {
  return element("label", { class: "choice" }, words("faults.shard"), shard);
}

/** What can be wrong with the next push, where the bot is reached by webhook. */
function webhookButtons({ url, flaws }, command) {
  if (url === null) return null;
  const flaw = (name) => name.replace("webhook_", "");
  const inject = (name) => command(words(`fault.${name}`), { do: "fault", webhook: flaw(name) });
  return buttons(flaws.map((each) => `webhook_${each}`), inject);
}

function buttons(names, inject) {
  const items = names.map((name) => {
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
