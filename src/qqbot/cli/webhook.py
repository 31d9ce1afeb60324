"""`qqbot webhook`: sign and send webhook calls, print the public key, and check an address as the platform does.

Responsible for the steps of the check and their texts. Collaborators: `qqbot.webhook.client` makes the calls.
"""

import argparse
import asyncio
import json
import secrets
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Raw, Struct

from ..config import Credentials
from ..errors import DecodeError, TransportError
from ..models.codec import decoder
from .call import json_bytes, sendable
from .terminal import CommandFailed, show, tell

if TYPE_CHECKING:
    from ..webhook.client import WebhookAnswer, WebhookClient

HELP = "check a webhook address, sign and send calls to it"
SLOW_SECONDS = 3.0
HARMLESS = "QQBOT_VERIFY"
"""The type of the sample event; no bot has a handler for it."""

Step = Callable[["WebhookClient"], Awaitable[str]]
"""Makes one check; returns the fault, or '' if there is none."""


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the commands and their arguments."""
    parser.description = "Webhook calls, with the AppID and AppSecret of the environment."
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    verify = commands.add_parser("verify", help="call an address as the platform does, and report the step that fails")
    verify.add_argument("url", metavar="URL", type=sendable, help="the address of the webhook")
    verify.set_defaults(command=_verify)
    send = commands.add_parser("send", help="send one signed event and print the answer")
    send.description = "Send one signed event to a webhook. Example: qqbot webhook send URL C2C_MESSAGE_CREATE"
    send.add_argument("url", metavar="URL", type=sendable, help="the address of the webhook")
    send.add_argument(
        "event", metavar="EVENT", type=sendable, help="the wire name of an event, such as GROUP_AT_MESSAGE_CREATE"
    )
    send.add_argument("--data", metavar="JSON", type=json_bytes, help="its payload `d` (default: a sample)")
    send.add_argument(
        "--id", metavar="ID", type=sendable, help="its id (default: a new one); the same id again is a redelivery"
    )
    send.set_defaults(command=_send)
    sign = commands.add_parser("sign", help="print the headers that sign a body")
    sign.description = "Print the headers that sign the bytes of FILE, or of stdin. They are valid for five minutes."
    sign.add_argument("file", metavar="FILE", nargs="?", type=Path, help="the body (default: stdin)")
    sign.add_argument("--timestamp", metavar="SECONDS", type=_unix_seconds, help="unix seconds (default: now)")
    sign.set_defaults(command=_sign)
    pubkey = commands.add_parser("pubkey", help="print the public key that verifies the platform's calls")
    pubkey.set_defaults(command=_pubkey)


def _unix_seconds(text: str) -> str:
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise argparse.ArgumentTypeError(f"{text!r} is not a unix time in seconds")
    return text


def _pubkey(_: argparse.Namespace) -> None:
    from ..webhook import public_key

    show(public_key(Credentials.from_env().secret))


def _sign(arguments: argparse.Namespace) -> None:
    from ..webhook import sign

    credentials = Credentials.from_env()
    try:
        body = sys.stdin.buffer.read() if arguments.file is None else arguments.file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{arguments.file} cannot be read: {error.strerror}") from None
    timestamp = arguments.timestamp or str(int(time.time()))
    show(f"X-Bot-Appid: {credentials.app_id}")
    show(f"X-Signature-Timestamp: {timestamp}")
    show(f"X-Signature-Ed25519: {sign(credentials.secret, timestamp, body)}")


def _send(arguments: argparse.Namespace) -> None:
    from ..webhook.client import WebhookClient, envelope

    async def send() -> "WebhookAnswer":
        async with WebhookClient(arguments.url, Credentials.from_env()) as client:
            return await client.send(body)

    data = _sample(arguments.event) if arguments.data is None else Raw(arguments.data)
    event_id = arguments.id or f"{arguments.event}:{uuid.uuid4()}"
    body = envelope(arguments.event, data, event_id=event_id)
    try:
        answer = asyncio.run(send())
    except TransportError as error:
        raise CommandFailed(str(error)) from None
    tell(f"HTTP {answer.status} after {1000 * answer.seconds:.0f} ms, event id {event_id}")
    show(answer.text)
    if answer.status != 200:
        sys.exit(1)


def _sample(event: str) -> object:
    """Return a sample payload with the fields that events of users have."""
    person = secrets.token_hex(16).upper()
    return {
        "id": f"ROBOT1.0_{secrets.token_urlsafe(12)}",
        "type": 11,
        "content": "a message of qqbot webhook send",
        "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S+08:00", time.gmtime(time.time() + 8 * 3600)),
        "author": {"id": person, "user_openid": person, "member_openid": person},
        "user_openid": person,
        "openid": person,
        **({"group_openid": secrets.token_hex(16).upper()} if event.startswith("GROUP") else {}),
    }


def _verify(arguments: argparse.Namespace) -> None:
    if not asyncio.run(_check(arguments.url, Credentials.from_env())):
        sys.exit(1)


async def _check(url: str, credentials: Credentials) -> bool:
    """Run the steps in order; stop at the first failure, because the rest would fail as well."""
    from ..webhook.client import WebhookClient

    async with WebhookClient(url, credentials) as client:
        for name, step in STEPS.items():
            try:
                wrong = await step(client)
            except TransportError as error:
                wrong = str(error)
            show(f"{'FAILED' if wrong else 'ok    '} {name}" + (f"\n       {wrong}" if wrong else ""))
            if wrong:
                return False
    show("The address answers as the platform expects. 回调地址工作正常")
    return True


class _ChallengeAnswer(Struct):
    plain_token: str
    signature: str


async def _challenge(client: "WebhookClient") -> str:
    token, moment = secrets.token_urlsafe(15), str(int(time.time()))
    answer = await client.post(_challenge_body(token, moment), {})
    if answer.status != 200:
        return f"{_shown(answer)}; expected 200 {_cause_of(answer)}"
    try:
        found = decoder(_ChallengeAnswer)(answer.text.encode())
    except DecodeError:
        return f"{_shown(answer)}; expected JSON with plain_token and signature"
    if found.plain_token != token:
        return "the answer does not contain the plain_token that was sent"
    if found.signature != client.key.sign(moment, token.encode()):
        return "the signature is that of another AppSecret: does the server have the same QQBOT_SECRET? 密钥不一致"
    return ""


def _challenge_body(token: str, moment: str) -> bytes:
    return json.dumps({"op": 13, "d": {"plain_token": token, "event_ts": moment}}).encode()


def _cause_of(answer: "WebhookAnswer") -> str:
    if answer.status in (301, 302, 307, 308):
        return "(the platform follows no redirect: use the address that this one redirects to, including a final slash)"
    if answer.status in (404, 405):
        return "(is this the path of the bot?)"
    if answer.status in (502, 503, 504):
        return "(a proxy answers, but the server behind it does not run)"
    return ""


async def _forged_challenge(client: "WebhookClient") -> str:
    forged = json.dumps({"op": 0, "t": HARMLESS, "d": {}})
    answer = await client.post(_challenge_body(forged, str(int(time.time()))), {})
    if "signature" in answer.text:
        return "the server signed an event as if it were a challenge: with that, an attacker can forge events"
    return ""


async def _bad_signature(client: "WebhookClient") -> str:
    from ..webhook import Key

    return _refusal(await client.send(_sample_event(), key=Key.of("not the secret of this bot")))


async def _no_signature(client: "WebhookClient") -> str:
    return _refusal(await client.post(_sample_event(), {}))


async def _old_signature(client: "WebhookClient") -> str:
    return _refusal(await client.send(_sample_event(), age=24 * 3600))


def _refusal(answer: "WebhookAnswer") -> str:
    return "" if answer.status in (400, 401, 403) else f"{_shown(answer)}; expected 401: such a call must run nothing"


async def _event(client: "WebhookClient") -> str:
    return _acknowledgement(await client.send(_sample_event()))


async def _redelivery(client: "WebhookClient") -> str:
    body = _sample_event()
    return _acknowledgement(await client.send(body)) or _acknowledgement(await client.send(body))


def _acknowledgement(answer: "WebhookAnswer") -> str:
    if answer.status == 401:
        return f"{_shown(answer)}; the server's clock or its QQBOT_SECRET is wrong, or a proxy changes the body"
    if answer.status != 200 or answer.text.replace(" ", "") not in ('{"op":12,"d":0}', ""):
        return f'{_shown(answer)}; expected 200 and {{"op":12,"d":0}}'
    if answer.seconds > SLOW_SECONDS:
        return f"the acknowledgement took {answer.seconds:.1f} s: acknowledge before the handlers. 请先应答再处理"
    return ""


def _sample_event() -> bytes:
    from ..webhook.client import envelope

    return envelope(HARMLESS, {})


def _shown(answer: "WebhookAnswer") -> str:
    return f"HTTP {answer.status} {answer.text[:200]!r}"


STEPS: dict[str, Step] = {
    "the challenge is answered with the right signature": _challenge,
    "a forged challenge is not signed": _forged_challenge,
    "a call without a signature is refused": _no_signature,
    "a call with a wrong signature is refused": _bad_signature,
    "a call with an old timestamp is refused": _old_signature,
    "a signed event is acknowledged in time": _event,
    "the same event again is acknowledged": _redelivery,
}
