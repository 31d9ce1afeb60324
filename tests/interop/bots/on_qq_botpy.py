"""A bot made with qq-botpy as PyPI has it. It names its hosts in constants, so these are replaced; nothing else is."""

import os

from botpy.http import Route
from botpy.robot import Token
from botpy_answers import INTENTS, Answers

HARD_CODED = "https://bots.qq.com/app/getAppAccessToken"

Route.SCHEME, Route.DOMAIN = os.environ["QQ_API_BASE"].split("://")
code = Token.update_access_token.__code__
assert HARD_CODED in code.co_consts
constants = tuple(os.environ["QQ_TOKEN_URL"] if each == HARD_CODED else each for each in code.co_consts)
Token.update_access_token.__code__ = code.replace(co_consts=constants)


class Addressed(Answers):
    def guild_image(self):
        # Its form for `file_image` fails since aiohttp 3.11, before a call is made.
        return {"image": os.environ["IMAGE_URL"]}


Addressed(intents=INTENTS, ext_handlers=False).run(appid=os.environ["APP_ID"], secret=os.environ["SECRET"])
