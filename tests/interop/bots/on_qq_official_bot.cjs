// A bot made with qq-official-bot.
const { readFileSync } = require('node:fs');
const { createRequire } = require('node:module');
const { Bot, ReceiverMode, segment } = createRequire(`${process.env.PACKAGES}/`)('qq-official-bot');

const port = Number(process.env.WEBHOOK_PORT);
const bot = new Bot({
  appid: process.env.APP_ID,
  secret: process.env.SECRET,
  intents: ['PUBLIC_GUILD_MESSAGES', 'DIRECT_MESSAGE', 'GROUP_AND_C2C_EVENT'],
  ...(port ? { mode: ReceiverMode.WEBHOOK, port, path: '/' } : { mode: ReceiverMode.WEBSOCKET }),
});
const more = {
  id: '1',
  render_data: { label: 'More', visited_label: 'More', style: 1 },
  action: { type: 1, permission: { type: 2 }, data: 'more' },
};

bot.on('message', async (event) => {
  const text = event.raw_message.trim();
  if (text === 'markdown') await event.reply([segment.markdown('# Tea'), segment.button({ buttons: [more] })]);
  else if (text === 'image') await event.reply(segment.image(readFileSync(process.env.IMAGE_FILE)));
  else await event.reply(text);
});
bot.start();
