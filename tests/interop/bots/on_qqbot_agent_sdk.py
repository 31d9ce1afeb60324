"""A bot made with qqbot-agent-sdk. The environment points it at a platform: QQ_API_BASE, QQ_TOKEN_URL."""

import asyncio
import os

import httpx
from qqbot_agent_sdk import EventParser, QQApiClient, QQWebSocket, WSCallbacks
from qqbot_agent_sdk.constants import MEDIA_TYPE_IMAGE
from qqbot_agent_sdk.dto import (
    InlineKeyboard,
    KeyboardButton,
    KeyboardButtonAction,
    KeyboardButtonRenderData,
    KeyboardContent,
    KeyboardRow,
    MediaInfo,
    MessageToCreate,
    QQMessageType,
)
from qqbot_agent_sdk.media_loader import MediaUploader

Session = tuple[str | None, int | None]
MORE = KeyboardButton("1", KeyboardButtonRenderData("More", "More"), KeyboardButtonAction(1, "more"))
KEYBOARD = InlineKeyboard(KeyboardContent([KeyboardRow([MORE])]))


async def answer_richly(api: QQApiClient, http: httpx.AsyncClient, event) -> None:
    send = api.post_c2c_message if event.chat_scope == "c2c" else api.post_group_message
    if event.content == "markdown":
        await send(event.chat_id, api.build_text_body("# Tea", reply_to=event.message_id), keyboard=KEYBOARD)
    else:
        uploader = MediaUploader(api, http)
        info = await uploader.upload(event.chat_scope, event.chat_id, os.environ["IMAGE_FILE"], MEDIA_TYPE_IMAGE)
        seq = api.next_msg_seq()
        media = MediaInfo(file_info=info)
        await send(event.chat_id, MessageToCreate(" ", QQMessageType.RICH_MEDIA, event.message_id, seq, media=media))


async def main() -> None:
    api = QQApiClient(app_id=os.environ["APP_ID"], client_secret=os.environ["SECRET"])
    http = httpx.AsyncClient()
    session: list[Session] = [(None, None)]

    async def answer(event_type: str, raw: dict) -> None:
        event = EventParser().parse(event_type, raw)
        if event is None:
            return
        if event.content in {"markdown", "image"}:
            await answer_richly(api, http, event)
        else:
            words = event.content.split()[-1]  # after the mention, which stays in channels
            await api.send_text(event.chat_scope, event.chat_id, words, reply_to=event.message_id)

    def keep(*what: str | int | None) -> None:
        session[:] = [what]

    def nothing(*_: object) -> None:
        """What this bot does not look at."""

    callbacks = WSCallbacks(
        on_message_event=answer,
        on_connected=nothing,
        on_disconnected=nothing,
        on_fatal_error=nothing,
        get_token=api.ensure_token_sync,
        get_session=lambda: session[0],
        set_session=keep,
        set_heartbeat_interval=nothing,
        clear_token=api.clear_token,
        fail_pending=nothing,
        get_gateway_url=api.get_gateway_url_sync,
    )
    api.setup(http)
    await api.ensure_token()
    socket = QQWebSocket(callbacks=callbacks)
    socket.start(await api.get_gateway_url(), asyncio.get_running_loop())
    await asyncio.Event().wait()


asyncio.run(main())
