"""A bot made with qq-botpy-sdk; its client takes both base addresses."""

import os

from botpy_answers import INTENTS, Answers

port = os.environ.get("WEBHOOK_PORT")
webhook = {"transport": "webhook", "webhook_host": "127.0.0.1", "webhook_port": int(port)} if port else {}
client = Answers(
    intents=INTENTS,
    base_url=os.environ["QQ_API_BASE"],
    token_base_url=os.environ["QQ_API_BASE"],
    ext_handlers=False,
    **webhook,
)
client.run(appid=os.environ["APP_ID"], secret=os.environ["SECRET"])
