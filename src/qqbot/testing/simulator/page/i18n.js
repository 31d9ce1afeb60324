/**
 * Owns the language of the page and every sentence in it. Texts of the simulator itself (error
 * messages, notices) arrive ready made and are shown as they are.
 */

import { byId } from "./dom.js";
import { recall, remember } from "./settings.js";

const EN = {
  title: "QQ bot simulator",
  panes: "Parts of the page",
  bot: "Bot",
  "bot.online": "Online",
  "bot.offline": "Offline",
  "bot.shards": "{ready} of {total} shards ready",
  "bot.intents": "Intents ({count})",
  "theme.system": "Theme: system",
  "theme.light": "Theme: light",
  "theme.dark": "Theme: dark",
  lost: "The connection to the simulator is lost. Trying again…",
  retry: "Try now",
  connecting: "Connecting to the simulator…",
  "gate.missing": "This address has no token",
  "gate.missing.what":
    "The simulator prints one address when it starts, with a token after the # sign. Open that whole address.",
  "gate.refused": "The simulator does not accept this token",
  "gate.refused.what":
    "Each run has a token of its own, so this address belongs to an earlier run or is incomplete. Open the address that the running simulator printed.",
  "gate.start": "No simulator running? Start one with:",
  worlds: "Conversations",
  "scene.group": "Group",
  "scene.c2c": "Private chat",
  who: "Who I am",
  chat: "Chat",
  messages: "Messages",
  reply_to: "In reply to {author}: {text}",
  markdown: "Markdown",
  "media.image": "Image",
  "media.video": "Video",
  "media.voice": "Voice",
  "media.file": "File",
  "silence.hello": "Say hello to your bot",
  "silence.group": "Write below and press Enter. With @ switched on, the message mentions the bot.",
  "silence.c2c": "Write below and press Enter.",
  "silence.offline": "No bot is connected yet",
  "silence.connect": "Start your bot against this simulator, or both together with:",
  "silence.nowhere": "There is no conversation in this simulator.",
  mention: "@{name}",
  write: "Write as {user}",
  send: "Send",
  unsent: "Not sent: {error}",
  disconnected: "the simulator is not connected; wait for the connection and try again",
  "button.template": "Keyboard template {id}, which only QQ can show",
  "button.pending": "“{label}”: pressing…",
  "button.done": "“{label}”: pressed",
  "button.failed": "“{label}”: failed: {error}",
  "ack.waiting": "not acknowledged yet",
  "ack.done": "acknowledged by the bot",
  "ack.refused": "refused by the bot with code {code}",
  inspector: "Inspector",
  frames: "Frames",
  "frames.none": "No frames yet. They appear here when a bot opens its gateway connection.",
  calls: "Calls",
  "calls.none": "No calls yet. Each HTTP call of the bot appears here with its answer.",
  "frame.raw": "text that is no frame",
  to_bot: "to the bot",
  from_bot: "from the bot",
  shard: "shard {index}/{count}",
  request: "Request",
  answer: "Answer",
  nothing: "(empty)",
  faults: "Faults",
  "faults.what": "Each button breaks something once, as the platform does. Watch in Frames how the bot recovers.",
  "faults.shard": "Shard",
  "faults.all": "All",
  "fault.close": "Close with 4009",
  "fault.close.what": "The session timed out. The bot resumes; nothing is lost.",
  "fault.op7": "Op 7: reconnect",
  "fault.op7.what": "The server asks for a reconnection. The bot resumes.",
  "fault.op9_resumable": "Op 9: invalid session (resumable)",
  "fault.op9_resumable.what": "The bot resumes the same session.",
  "fault.op9": "Op 9: invalid session",
  "fault.op9.what": "The session is gone. The bot identifies again.",
  "fault.drop": "Drop the connection",
  "fault.drop.what": "A TCP reset with no closing frame. The bot resumes.",
  "fault.stop_acks": "Stop heartbeat ACKs",
  "fault.stop_acks.what": "The connection looks alive but is dead. The bot notices by the missing ACK and resumes.",
  "fault.banned": "Close with 4914",
  "fault.banned.what": "The bot was taken offline and may reach only the sandbox. It stops and says why.",
  "fault.clear": "End all faults",
  "fault.clear.what": "Faults that still wait for their moment are called off.",
  "fault.done": "“{label}”: done",
  "fault.failed": "“{label}”: failed: {error}",
};

const ZH = {
  title: "QQ 机器人模拟器",
  panes: "页面分区",
  bot: "机器人",
  "bot.online": "在线",
  "bot.offline": "离线",
  "bot.shards": "分片就绪 {ready}/{total}",
  "bot.intents": "事件订阅（{count}）",
  "theme.system": "主题：跟随系统",
  "theme.light": "主题：浅色",
  "theme.dark": "主题：深色",
  lost: "与模拟器的连接已断开，正在重连……",
  retry: "立即重试",
  connecting: "正在连接模拟器……",
  "gate.missing": "地址中缺少令牌",
  "gate.missing.what": "模拟器启动时会打印一个地址，# 号后面是令牌。请打开完整的地址。",
  "gate.refused": "模拟器不接受这个令牌",
  "gate.refused.what": "每次运行都有新的令牌：这个地址属于之前的一次运行，或者不完整。请打开正在运行的模拟器打印的地址。",
  "gate.start": "模拟器没有在运行？用下面的命令启动：",
  worlds: "会话",
  "scene.group": "群聊",
  "scene.c2c": "单聊",
  who: "我的身份",
  chat: "聊天",
  messages: "消息",
  reply_to: "回复 {author}：{text}",
  markdown: "Markdown",
  "media.image": "图片",
  "media.video": "视频",
  "media.voice": "语音",
  "media.file": "文件",
  "silence.hello": "和你的机器人打个招呼吧",
  "silence.group": "在下方输入，按回车发送。打开 @ 开关时，消息会 @ 机器人。",
  "silence.c2c": "在下方输入，按回车发送。",
  "silence.offline": "还没有机器人连接",
  "silence.connect": "让你的机器人连接这个模拟器，或者用下面的命令一起启动：",
  "silence.nowhere": "这个模拟器里没有会话。",
  mention: "@{name}",
  write: "以 {user} 的身份发言",
  send: "发送",
  unsent: "未发送：{error}",
  disconnected: "模拟器未连接，请等待连接恢复后再试",
  "button.template": "按钮模板 {id}，只有 QQ 能显示",
  "button.pending": "“{label}”：正在按下……",
  "button.done": "“{label}”：已按下",
  "button.failed": "“{label}”：失败：{error}",
  "ack.waiting": "尚未确认",
  "ack.done": "机器人已确认",
  "ack.refused": "机器人以代码 {code} 拒绝",
  inspector: "检查",
  frames: "帧",
  "frames.none": "还没有帧。机器人建立网关连接后会显示在这里。",
  calls: "调用",
  "calls.none": "还没有调用。机器人的每次 HTTP 调用和应答会显示在这里。",
  "frame.raw": "不是帧的文本",
  to_bot: "发给机器人",
  from_bot: "来自机器人",
  shard: "分片 {index}/{count}",
  request: "请求",
  answer: "应答",
  nothing: "（空）",
  faults: "故障",
  "faults.what": "每个按钮制造一次平台上会发生的故障。可以在“帧”里看机器人如何恢复。",
  "faults.shard": "分片",
  "faults.all": "全部",
  "fault.close": "以 4009 关闭",
  "fault.close.what": "会话超时。机器人恢复会话，不丢事件。",
  "fault.op7": "Op 7：要求重连",
  "fault.op7.what": "服务端要求重新连接。机器人恢复会话。",
  "fault.op9_resumable": "Op 9：会话无效（可恢复）",
  "fault.op9_resumable.what": "机器人恢复原会话。",
  "fault.op9": "Op 9：会话无效",
  "fault.op9.what": "会话已失效。机器人重新鉴权。",
  "fault.drop": "断开连接",
  "fault.drop.what": "TCP 重置，没有关闭帧。机器人恢复会话。",
  "fault.stop_acks": "停止心跳应答",
  "fault.stop_acks.what": "连接看似正常，其实已失效。机器人发现没有应答后恢复会话。",
  "fault.banned": "以 4914 关闭",
  "fault.banned.what": "机器人已下架，只能连接沙箱。机器人停止运行并说明原因。",
  "fault.clear": "结束所有故障",
  "fault.clear.what": "取消尚未触发的故障。",
  "fault.done": "“{label}”：已完成",
  "fault.failed": "“{label}”：失败：{error}",
};

const LANGUAGES = { en: EN, zh: ZH };
const listeners = new Set();
let language = initial();

function initial() {
  const remembered = recall("language");
  if (remembered in LANGUAGES) return remembered;
  return navigator.language.startsWith("zh") ? "zh" : "en";
}

/** The sentence of that name in the page's language, its `{places}` filled from `values`. */
export function words(name, values = {}) {
  return LANGUAGES[language][name].replace(/\{(\w+)\}/g, (_, place) => values[place]);
}

/** The time of day of an ISO date, as the page's language writes it. */
export function timeOfDay(iso) {
  return new Date(iso).toLocaleTimeString(language, { hour12: false });
}

/** Calls `listener` after each change of the language. */
export function onLanguage(listener) {
  listeners.add(listener);
}

export function mountLanguage() {
  byId("language").addEventListener("click", () => {
    language = language === "en" ? "zh" : "en";
    remember("language", language);
    show();
    listeners.forEach((listener) => listener());
  });
  show();
}

/** Writes the sentences that index.html asks for by name. */
function show() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = words("title");
  const other = byId("language");
  other.textContent = language === "en" ? "中文" : "English";
  other.lang = language === "en" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-words]")) node.textContent = words(node.dataset.words);
  for (const node of document.querySelectorAll("[data-words-label]")) {
    node.setAttribute("aria-label", words(node.dataset.wordsLabel));
  }
}
