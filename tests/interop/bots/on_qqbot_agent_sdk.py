"""An echo bot made with qqbot-agent-sdk. The environment points it at a platform: QQ_API_BASE, QQ_TOKEN_URL."""

import asyncio
import os

import httpx
from qqbot_agent_sdk import EventParser, QQApiClient, QQWebSocket, WSCallbacks

Session = tuple[str | None, int | None]


async def main() -> None:
    api = QQApiClient(app_id=os.environ["APP_ID"], client_secret=os.environ["SECRET"])
    session: list[Session] = [(None, None)]

    async def answer(event_type: str, raw: dict) -> None:
        event = EventParser().parse(event_type, raw)
        if event:
            await api.send_text(event.chat_scope, event.chat_id, event.content.strip(), reply_to=event.message_id)

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
    api.setup(httpx.AsyncClient())
    await api.ensure_token()
    socket = QQWebSocket(callbacks=callbacks)
    socket.start(await api.get_gateway_url(), asyncio.get_running_loop())
    await asyncio.Event().wait()


asyncio.run(main())
