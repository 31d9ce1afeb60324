"""Plays audio, and reports who listens."""

import os

import botpy
from botpy import logging
from botpy.audio import Audio, PublicAudio
from botpy.message import Message
from botpy.types.audio import AudioControl
from botpy.types.channel import ChannelSubType, ChannelType

APP_ID = os.environ["QQBOT_APP_ID"]
SECRET = os.environ["QQBOT_SECRET"]

_log = logging.get_logger()


class MyClient(botpy.Client):
    async def on_at_message_create(self, message: Message):
        made = await self.api.create_channel(message.guild_id, "voice", ChannelType.VOICE_CHANNEL, ChannelSubType.TALK)
        channel = made["id"]
        audio = AudioControl(audio_url="https://bot.q.qq.com/a.mp3", text="song", status=0)
        await self.api.on_microphone(channel)
        await self.api.update_audio(channel, audio)
        await self.api.update_audio(channel_id=channel, audio_control={"status": 1})
        await self.api.off_microphone(channel)
        await message.reply(content="played")

    async def on_audio_start(self, audio: Audio):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"start {audio.text}")

    async def on_audio_finish(self, audio: Audio):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"finish {audio.text}")

    async def on_audio_or_live_channel_member_enter(self, member: PublicAudio):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"{member.user_id} came")

    async def on_audio_or_live_channel_member_exit(self, member: PublicAudio):
        await self.api.post_message(channel_id=os.environ["CHANNEL"], content=f"{member.user_id} went")


if __name__ == "__main__":
    intents = botpy.Intents(audio_action=True, audio_or_live_channel_member=True, public_guild_messages=True)
    client = MyClient(intents=intents, ext_handlers=False)
    client.run(appid=APP_ID, secret=SECRET)
