// A bot made with koishi and @satorijs/adapter-qq.
const { createRequire } = require('node:module');
const { pathToFileURL } = require('node:url');
const load = createRequire(`${process.env.PACKAGES}/`);
const { Context, h } = load('koishi');
const { QQBot } = load('@satorijs/adapter-qq');

const port = Number(process.env.WEBHOOK_PORT);
const app = new Context();
const more = {
  id: '1',
  render_data: { label: 'More', visited_label: 'More', style: 1 },
  action: { type: 1, permission: { type: 2 }, data: 'more' },
};
const keyboard = { content: { rows: [{ buttons: [more] }] } };

app.plugin(load('@koishijs/plugin-http').default);
if (port) app.plugin(load('@koishijs/plugin-server').default, { host: '127.0.0.1', port });
app.plugin(QQBot, {
  id: process.env.APP_ID,
  secret: process.env.SECRET,
  type: 'public',
  authType: 'bearer',
  endpoint: process.env.QQ_API_BASE,
  retryWhen: [],
  intents: (1 << 25) | (1 << 12) | (1 << 30),
  protocol: port ? 'webhook' : 'websocket',
  path: '/',
});
app.on('message', async (session) => {
  const text = h.select(session.elements, 'text').map((element) => element.attrs.content).join('').trim();
  if (text === 'image') return session.send(h.image(pathToFileURL(process.env.IMAGE_FILE).href));
  if (text !== 'markdown') return session.send(text);
  if (!session.qqguild) return session.send([h.text('Tea'), h('button', { id: 'more', class: 'primary' }, 'More')]);
  // Its elements have no Markdown in guilds; its API has.
  const message = { msg_id: session.messageId, markdown: { content: '# Tea' }, keyboard };
  const [guild] = session.channelId.split('_');
  return session.isDirect ? session.qqguild.sendDM(guild, message) : session.qqguild.sendMessage(guild, message);
});
app.start();
