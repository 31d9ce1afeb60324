/** Responsible for the form that makes a rule of any fault, and the list of rules that can still strike. */

import { element } from "../dom.js";
import { words } from "../i18n.js";

const NOW = ""; // no moment: it strikes the connections that are live
const CALL = "call";
const FIRST_CALL = "POST /v2/*";
const CONNECTED = ["drop", "close", "op7", "op9", "stop_acks", "half_open", "raw"]; // what can strike at once

/** The form; `kinds` is the simulator's catalogue, `add(rule)` takes the rule. */
export function drawRuleForm(kinds, add) {
  const kind = element("select", { name: "kind" }, ...kinds.map((each) => option(each.kind, words(`kind.${each.kind}`))));
  const what = element("p", { class: "detail" });
  const fields = element("div", { class: "stack" });
  const chosen = () => kinds.find((each) => each.kind === kind.value);
  const show = () => {
    what.textContent = words(`kind.${kind.value}.what`);
    fields.replaceChildren(...drawFields(chosen()));
  };
  kind.addEventListener("change", show);
  const submit = (event) => {
    event.preventDefault();
    add(ruleOf(chosen(), event.target));
  };
  const form = element(
    "form",
    { class: "stack", onsubmit: submit },
    labelled("rule.kind", kind),
    what,
    fields,
    element("button", { type: "submit" }, words("rule.add")),
  );
  if (kinds.length) show();
  return element("details", { class: "fold" }, element("summary", {}, words("rule")), form);
}

function drawFields({ kind, moments, fields }) {
  if (moments.length === 0) return fields.map(drawField);
  const when = CONNECTED.includes(kind) ? [NOW, ...moments] : moments;
  const on = element("select", { name: "on" }, ...when.map((each) => option(each, words(`on.${each || "now"}`))));
  const pattern = element("input", { name: "pattern" });
  const label = labelled("rule.pattern", pattern);
  const counted = [
    labelled("rule.nth", element("input", { name: "nth", type: "number", min: 1, value: 1 })),
    labelled("rule.times", element("input", { name: "times", type: "number", min: 0, value: 1 })),
  ];
  const show = () => {
    label.hidden = on.value !== CALL && on.value !== "DISPATCH";
    pattern.value = on.value === CALL ? FIRST_CALL : "*";
    counted[0].hidden = on.value === NOW;
  };
  on.addEventListener("change", show);
  show();
  return [...fields.map(drawField), labelled("rule.on", on), label, ...counted];
}

function drawField({ name, type, required }) {
  const input = {
    number: () => element("input", { name, type: "number", step: "any", required }),
    flag: () => element("select", { name }, option("", words("no")), option("true", words("yes"))),
  }[type]?.();
  return labelled(`field.${name}`, input ?? element("input", { name, required }));
}

function labelled(sentence, control) {
  return element("label", {}, element("span", {}, words(sentence)), control);
}

function option(value, label) {
  return element("option", { value }, label);
}

/** The rule that a form says, as the simulator takes it. What is left empty is left out. */
function ruleOf({ kind, moments, fields }, form) {
  const given = (name) => form.elements[name].value.trim();
  const values = fields
    .filter(({ name }) => given(name) !== "")
    .map(({ name, type }) => [name, { number: Number, flag: () => true, json: jsonOrText }[type]?.(given(name)) ?? given(name)]);
  const fault = { kind, ...Object.fromEntries(values) };
  if (moments.length === 0) return fault;
  const rule = { ...fault, times: Number(given("times")) };
  return given("on") === NOW ? rule : { ...rule, on: moment(given), nth: Number(given("nth")) };
}

function moment(given) {
  if (given("on") === CALL) return given("pattern");
  return given("on") === "DISPATCH" && given("pattern") !== "*" ? `DISPATCH ${given("pattern")}` : given("on");
}

function jsonOrText(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Lists the rules with what they have done so far. */
export function drawRules(place, rules) {
  const items = rules.map(({ kind, on, times, seen, struck }) => {
    const left = times === 0 ? words("rule.always") : words("rule.left", { count: times - struck });
    return element(
      "li",
      {},
      element("span", { class: "what" }, `${kind} · ${on}`),
      element("span", { class: "scene" }, `${words("rule.seen", { seen, struck })} · ${left}`),
    );
  });
  place.replaceChildren(
    ...(items.length ? [element("h3", {}, words("rules")), element("ul", { class: "rules" }, ...items)] : []),
  );
}
