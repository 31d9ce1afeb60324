// Replaces the hosts that the SDKs from npm name in their sources, as these are loaded; nothing else. Loaded before the
// bot by NODE_OPTIONS=--import, so in the processes that it starts, too.
import Module, { register } from 'node:module';

const HOSTS = [
  ['https://bots.qq.com/app/getAppAccessToken', process.env.QQ_TOKEN_URL],
  ['https://api.sgroup.qq.com', process.env.QQ_API_BASE],
  ['https://api.bot.qq.com', process.env.QQ_API_BASE],
];
const SDKS = /node_modules\/(qq-official-bot|@satorijs\/adapter-qq|@alemonjs\/qq-bot)\//;

function turned(source) {
  return HOSTS.reduce((text, [host, here]) => text.replaceAll(host, here), source);
}

// What is imported goes through this hook, which runs in a thread of its own and loads this file again for that.
export async function load(url, context, next) {
  const loaded = await next(url, context);
  return SDKS.test(url) && loaded.source ? { ...loaded, source: turned(String(loaded.source)) } : loaded;
}

// What is required goes through this method.
const compile = Module.prototype._compile;
Module.prototype._compile = function (source, filename, ...rest) {
  return compile.call(this, SDKS.test(filename) ? turned(source) : source, filename, ...rest);
};

register(import.meta.url);
