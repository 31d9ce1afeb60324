"""`qqbot call`: make one authenticated API call and print the answer.

Responsible for the arguments and the output. Collaborators: `Api` makes the call, with its retries and errors.
"""

import argparse
import asyncio
import json

from .._visible import visible_line
from ..api.caller import ResponseInfo
from ..api.client import Api
from ..api.route import Route
from ..bot.program import configure_logging
from ..config import Credentials, Endpoints
from ..errors import ApiError, AuthError, IPNotAllowed, TransportError
from .terminal import CommandFailed, show, show_json, tell

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
    parser.add_argument("--data", metavar="JSON", type=json_bytes, help="the body of the call")
    parser.set_defaults(command=_run)


def sendable(text: str) -> str:
    """Return the argument.  Raises: ArgumentTypeError if it is no text: bytes that are not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise argparse.ArgumentTypeError(f"{text!r} is not valid UTF-8") from None
    return text


def _path(text: str) -> str:
    sendable(text)
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} must start with a slash, as in /users/@me")
    return text


def json_bytes(text: str) -> bytes:
    """Return the argument as it is sent.  Raises: ArgumentTypeError if it is not JSON, or cannot be sent."""
    try:
        json.loads(text)
        return text.encode()
    except RecursionError:
        raise argparse.ArgumentTypeError("not JSON that the platform reads: it is nested too deeply") from None
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


def _run(arguments: argparse.Namespace) -> None:
    configure_logging()
    try:
        answer = asyncio.run(_call(arguments.method, arguments.path, arguments.data))
    except (AuthError, IPNotAllowed):
        raise
    except (ApiError, TransportError) as error:
        raise CommandFailed(str(error)) from None
    _show(answer)


async def _call(method: str, path: str, body: bytes | None) -> bytes:
    credentials, endpoints = Credentials.from_env(), Endpoints.from_env()
    async with Api(credentials, endpoints=endpoints, on_response=[_print_trace_id]) as api:
        return await api.call(Route("call", method, path, bytes), body=body)


def _print_trace_id(response: ResponseInfo) -> None:
    tell(f"trace id {visible_line(response.trace_id or 'none')}")


def _show(answer: bytes) -> None:
    """Print the answer, indented if it is JSON; as it came if that is too deep or too long a number for this reader."""
    text = answer.decode("utf-8", "replace")
    try:
        show_json(json.loads(text), indent=2)
    except (ValueError, RecursionError):
        show(text.removesuffix("\n"))
