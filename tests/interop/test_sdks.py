"""Other SDKs on the simulator, in processes of their own: every ability of sdks.toml that is not one of their gaps.

`nox -s interop` installs them, each in an environment of its own. What is not installed is skipped.
"""

import asyncio
import os
import signal
import socket
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from qqbot.testing import BotReply, ChatMember, Simulator
from tests.interop.sdks import KINDS, SCENES, SDKS, Sdk

PATIENCE = 60.0
"""Seconds for what such a bot should do soon; some wait long before they connect again."""

pytestmark = pytest.mark.timeout(250)


def picture() -> bytes:
    """A PNG of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\x20\x80\x20")) + chunk(b"IEND", b"")


@pytest.fixture(params=SDKS, ids=lambda sdk: sdk.slug)
def sdk(request: pytest.FixtureRequest) -> Sdk:
    if not request.param.installed:
        pytest.skip(f"{request.param.name} is not installed: nox -s interop")
    return request.param


@asynccontextmanager
async def running(sdk: Sdk, sim: Simulator, folder: Path, **settings: object) -> AsyncIterator[None]:
    """Run the bot of an SDK in `folder`; what it printed is shown where a test fails."""
    image = folder / "tea.png"
    image.write_bytes(picture())
    environment = {
        **os.environ,
        **sdk.environment,
        "APP_ID": sim.app_id,
        "SECRET": sim.secret,
        "QQ_API_BASE": sim.api_base,
        "QQ_AUTH_BASE": sim.token_url,
        "QQ_TOKEN_URL": sim.token_url,
        "IMAGE_FILE": str(image),
        "IMAGE_URL": str(sim.attachment(picture(), name="tea.png")["url"]),
        **{name: str(value) for name, value in settings.items()},
    }
    process = await asyncio.create_subprocess_exec(
        *sdk.command,
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # some start processes of their own, which must end with them
    )
    printing = asyncio.create_task(process.communicate())
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        out, _ = await printing
        print(out.decode(errors="replace"))


async def answering(sdk: Sdk, folder: Path) -> None:
    while sdk.reports_answering and not (folder / "answering").exists():
        await asyncio.sleep(0.05)


def person(sim: Simulator, scene: str) -> ChatMember:
    match scene:
        case "channel":
            return sim.channel("general").member("Alice")
        case "direct":
            return sim.dms("Alice")
        case "group":
            return sim.group("test").member("Alice")
    return sim.user("Alice")


def answered(kind: str, reply: BotReply) -> None:
    match kind:
        case "text":
            assert (reply.markdown or reply.text) == "text"  # one of them always answers in Markdown
        case "markdown":
            assert reply.markdown is not None
            assert reply.markdown.strip().endswith("Tea")
            assert reply.keyboard is not None
            assert reply.keyboard["content"]["rows"][0]["buttons"][0]["render_data"]["label"] == "More"  # type: ignore[index, call-overload]
        case "image":
            assert reply.media is not None
            assert reply.media["kind"] == "image"


@pytest.mark.parametrize("scene", SCENES)
async def test_messages(qq: Simulator, sdk: Sdk, scene: str, tmp_path: Path) -> None:
    kinds = [kind for kind in KINDS if f"{scene}.{kind}" not in sdk.missing]
    if not kinds:
        pytest.skip(sdk.missing[f"{scene}.text"])
    async with qq, running(sdk, qq, tmp_path):
        async with asyncio.timeout(PATIENCE):
            await qq.ready()
            await answering(sdk, tmp_path)
        for kind in kinds:
            answered(kind, await person(qq, scene).say(kind, timeout=PATIENCE))
        assert qq.violations == []


async def test_4009(qq: Simulator, sdk: Sdk, tmp_path: Path) -> None:
    resumes = "resume" not in sdk.missing
    async with qq, running(sdk, qq, tmp_path):
        async with asyncio.timeout(PATIENCE):
            await qq.ready()
            await answering(sdk, tmp_path)
        alice = qq.group("test").member("Alice")
        answered("text", await alice.say("text", timeout=PATIENCE))
        qq.faults.close(4009)
        async with asyncio.timeout(PATIENCE):
            await (qq.resumed() if resumes else qq.identified())
        assert len(qq.identifies) == (1 if resumes else 2)
        answered("text", await alice.say("text", timeout=PATIENCE))
        if resumes:
            assert qq.lost_events == []
        assert qq.violations == []


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


async def challenged(sim: Simulator) -> None:
    """Send the challenge until it is answered: a bot listens before it is ready for it."""
    while not await sim.webhook.challenge():
        await asyncio.sleep(0.1)


async def test_webhook(qq: Simulator, sdk: Sdk, tmp_path: Path) -> None:
    if "webhook" in sdk.missing:
        pytest.skip(sdk.missing["webhook"])
    port = free_port()
    async with qq, running(sdk, qq, tmp_path, WEBHOOK_PORT=port):
        qq.webhook.url = f"http://127.0.0.1:{port}{sdk.webhook_path}"
        async with asyncio.timeout(PATIENCE):
            await challenged(qq)
            await answering(sdk, tmp_path)
        answered("text", await qq.group("test").member("Alice").say("text", timeout=PATIENCE))
        await qq.webhook.delivered()
        assert [delivery.acknowledged for delivery in qq.webhook.deliveries] == [True]
        assert qq.violations == []
