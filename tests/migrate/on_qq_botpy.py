"""Runs a bot on qq-botpy as PyPI has it: `python on_qq_botpy.py BOT`. Its hosts are constants, which are replaced."""

import os
import runpy
import sys
from pathlib import Path

from botpy.http import Route
from botpy.robot import Token

HARD_CODED = "https://bots.qq.com/app/getAppAccessToken"

Route.SCHEME, Route.DOMAIN = os.environ["QQBOT_API_BASE"].split("://")
code = Token.update_access_token.__code__
assert HARD_CODED in code.co_consts
constants = tuple(os.environ["QQBOT_TOKEN_URL"] if each == HARD_CODED else each for each in code.co_consts)
Token.update_access_token.__code__ = code.replace(co_consts=constants)

sys.path.insert(0, str(Path(sys.argv[1]).parent))
runpy.run_path(sys.argv[1], run_name="__main__")
