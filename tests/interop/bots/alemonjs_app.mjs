// The bot on @alemonjs/qq-bot can be READY before its answers are loaded; the file `answering` reports that they are.
import { writeFileSync } from 'node:fs';

import { defineChildren } from 'alemonjs';

export default defineChildren({ onReady: () => writeFileSync('answering', '') });
