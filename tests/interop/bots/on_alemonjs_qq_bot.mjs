// A bot made with alemonjs and @alemonjs/qq-bot. It writes a project into the working directory and starts that: the
// framework loads its answers in one process, and the platform in another.
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const modules = `${process.env.PACKAGES}/node_modules`;
const port = process.env.WEBHOOK_PORT;
const options = { app_id: process.env.APP_ID, secret: process.env.SECRET, ...(port && { port, route: '/' }) };

symlinkSync(modules, 'node_modules');
writeFileSync('package.json', JSON.stringify({ name: 'bot', type: 'module', main: 'index.js' }));
// JSON is YAML, too. By default it drops what a user writes within a second of another message.
writeFileSync('alemon.config.yaml', JSON.stringify({ 'qq-bot': options, processor: { repeated_user_time: 1 } }));
mkdirSync('response');
for (const [from, to] of [['alemonjs_app.mjs', 'index.js'], ['alemonjs_answers.mjs', 'response/res.js']]) {
  copyFileSync(new URL(from, import.meta.url), to);
}

const { start } = await import(pathToFileURL(`${modules}/alemonjs/lib/index.js`));
start({ input: 'index.js', platform: '@alemonjs/qq-bot' });
