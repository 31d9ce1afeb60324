// What the bot on @alemonjs/qq-bot answers.
import { Format, onResponse, useMessage } from 'alemonjs';

export default onResponse(['message.create', 'private.message.create'], async (event) => {
  const [message] = useMessage(event);
  const text = event.MessageText.trim();
  const format = Format.create();
  if (text === 'markdown') {
    format.addMarkdown(Format.createMarkdown().addTitle('Tea'));
    format.addButtonGroup(Format.createButtonGroup().addRow().addButton('More', 'more', { type: 'call' }));
  } else if (text === 'image') {
    format.addImageFile(process.env.IMAGE_FILE);
  } else {
    format.addText(text);
  }
  await message.send({ format });
});
