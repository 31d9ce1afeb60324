"""Audio in voice channels. Every call needs a right that is granted by invitation, to audio bots only."""

from msgspec import UNSET, UnsetType

from ...models.audio import AudioControl, AudioStatus
from ..route import Route, nothing
from .base import Resource

CONTROL_AUDIO = Route("control_audio", "POST", "/channels/{channel_id}/audio", nothing)
MIC_ON = Route("mic_on", "PUT", "/channels/{channel_id}/mic", nothing)
MIC_OFF = Route("mic_off", "DELETE", "/channels/{channel_id}/mic", nothing)


class Audio(Resource):
    """What the bot plays, and its microphone."""

    async def play(
        self, channel_id: str, audio_url: str, text: str | UnsetType = UNSET, *, timeout: float | None = None
    ) -> None:
        """Start audio; `text` is shown next to it.

        Raises: PermissionMissing, NotFound; ConfigError for an empty URL.
        Source: server-inter/channel/content/audio/audio_control
        """
        body = AudioControl(status=AudioStatus.START, audio_url=audio_url, text=text)
        await self.control(channel_id, body, timeout=timeout)

    async def control(self, channel_id: str, control: AudioControl, *, timeout: float | None = None) -> None:
        """Start, pause, resume or stop audio.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/audio/audio_control
        """
        await self._call(CONTROL_AUDIO, channel_id, body=control, timeout=timeout)

    async def mic_on(self, channel_id: str, *, timeout: float | None = None) -> None:
        """Switch the bot's microphone on.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/audio/put_mic
        """
        await self._call(MIC_ON, channel_id, timeout=timeout)

    async def mic_off(self, channel_id: str, *, timeout: float | None = None) -> None:
        """Switch the bot's microphone off.

        Raises: PermissionMissing, NotFound.
        Source: server-inter/channel/content/audio/delete_mic
        """
        await self._call(MIC_OFF, channel_id, timeout=timeout)
