"""`qqbot call`: make one authenticated API call and print the answer.

Responsible for the arguments and the output. Collaborators: `Api` makes the call, with its retries and errors.
"""

import argparse
import asyncio
import json
import sys

from ..api.caller import ResponseInfo
from ..api.client import Api
from ..api.route import Route
from ..bot.program import configure_logging
from ..config import Credentials, Endpoints
from ..errors import ApiError, AuthError, IPNotAllowed, TransportError

HELP = "make one API call and print its answer"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Make one API call with the credentials of the environment. The answer goes to stdout, its trace id to stderr."
    )
    parser.epilog = "Example: qqbot call GET /users/@me"
    parser.add_argument("method", metavar="METHOD", type=str.upper, choices=METHODS, help=", ".join(METHODS))
    parser.add_argument("path", metavar="PATH", type=_path, help="with its query, as in /gateway/bot")
    parser.add_argument("--data", metavar="JSON", type=_json, help="the body of the call")
    parser.set_defaults(command=_run)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} must start with a slash, as in /users/@me")
    return text


def _json(text: str) -> bytes:
    try:
        json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    return text.encode()


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    try:
        answer = asyncio.run(_call(arguments.method, arguments.path, arguments.data))
    except (AuthError, IPNotAllowed):
        raise
    except (ApiError, TransportError) as error:
        sys.exit(f"qqbot: {error}")
    print(_pretty(answer), end="")


async def _call(method: str, path: str, body: bytes | None) -> bytes:
    credentials, endpoints = Credentials.from_env(), Endpoints.from_env()
    async with Api(credentials, endpoints=endpoints, on_response=[_print_trace_id]) as api:
        return await api.call(Route("call", method, path, bytes), body=body)


def _print_trace_id(response: ResponseInfo) -> None:
    print("trace id", response.trace_id or "none", file=sys.stderr)


def _pretty(answer: bytes) -> str:
    """Return the answer indented if it is JSON, otherwise unchanged."""
    text = answer.decode("utf-8", "replace")
    try:
        return json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n"
    except ValueError:
        return text
