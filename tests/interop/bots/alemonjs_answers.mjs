// What the bot on @alemonjs/qq-bot answers.
import { Format, createEventValue, onResponse, useClient, useMessage } from 'alemonjs';

export default onResponse(['message.create', 'private.message.create'], async (event) => {
  const text = event.MessageText.trim();
  if (event._tag === 'DIRECT_MESSAGE_CREATE') {
    // Its `message.send` puts the user's id into `/dms/`; its API takes the guild's.
    const [client] = useClient(event);
    await client.dmsMessages(createEventValue(event).guild_id, { content: text, msg_id: event.MessageId });
    return;
  }
  const [message] = useMessage(event);
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
