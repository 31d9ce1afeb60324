/** Responsible for the bot's state in the header: online, shards, intents. */

import { byId, element } from "../dom.js";
import { onLanguage, words } from "../i18n.js";

/** The names of the intent bits, from the platform's list. */
const INTENTS = {
  0: "GUILDS",
  1: "GUILD_MEMBERS",
  9: "GUILD_MESSAGES",
  10: "GUILD_MESSAGE_REACTIONS",
  12: "DIRECT_MESSAGE",
  18: "OPEN_FORUM_EVENT",
  19: "AUDIO_OR_LIVE_CHANNEL_MEMBER",
  23: "ENTER_AIO",
  24: "GROUP_MEMBER_EVENT",
  25: "GROUP_AND_C2C_EVENT",
  26: "INTERACTION",
  27: "MESSAGE_AUDIT",
  28: "FORUMS_EVENT",
  29: "AUDIO_ACTION",
  30: "PUBLIC_GUILD_MESSAGES",
};

export function mountBot(state) {
  const draw = () => show(state.bot, state.webhook);
  for (const part of ["snapshot", "bot"]) state.addEventListener(part, draw);
  onLanguage(draw);
}

function show({ name, online, intents, shards, budget }, webhook) {
  byId("name").textContent = name;
  byId("presence").textContent = words(online ? "bot.online" : webhook.url ? "bot.webhook" : "bot.offline");
  byId("presence").dataset.online = online || webhook.url !== null;
  byId("shards").hidden = byId("intents").hidden = shards.length === 0;
  byId("shards").textContent = countShards(shards);
  byId("budget").textContent = budget ? words("bot.budget", budget) : "";
  showIntents(byId("intents"), intents);
}

/** Each shard names the total, so that it is known also when not all are connected. */
function countShards(shards) {
  const ready = shards.filter(({ state }) => state === "ready").length;
  const total = Math.max(0, ...shards.map(({ shard: [, count] }) => count));
  return words("bot.shards", { ready, total });
}

/** The names of the intents of these bits. */
export function intentNames(intents) {
  return Object.keys(INTENTS)
    .filter((bit) => intents & (1 << bit))
    .map((bit) => INTENTS[bit]);
}

function showIntents(details, intents) {
  const names = intentNames(intents);
  details.querySelector("summary").textContent = words("bot.intents", { count: names.length });
  details.querySelector("ul").replaceChildren(...names.map((name) => element("li", {}, name)));
}
