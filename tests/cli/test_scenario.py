"""`qqbot simulate --scenario`, and what else the command tries a bot with."""

import json
from pathlib import Path

import pytest

from tests.cli.control import Control
from tests.cli.program import qqbot, run

MUTE = """\
from qqbot import Bot, Context, GroupAtMessageCreate
bot = Bot()

@bot.on
async def hear(ctx: Context[GroupAtMessageCreate]) -> None:
    pass
"""


async def test_the_demo_bot_is_right() -> None:
    code, out, _ = await run("simulate", "--scenario", "msgseq-dedup")
    assert code == 0
    assert out.startswith("msgseq-dedup (")
    assert "WRONG" not in out
    assert "ok    repeats it with the same msg_seq" in out


async def test_a_bot_that_is_not_right(tmp_path: Path) -> None:
    file = tmp_path / "mute.py"
    file.write_text(MUTE)
    code, out, err = await run("simulate", "--scenario", "msg-id-redelivered", file)
    assert code == 1
    assert "WRONG answers" in out
    assert "Traceback" not in err


async def test_a_report_for_programs() -> None:
    code, out, _ = await run("simulate", "--json", "--scenario", "413-html")
    report = json.loads(out)
    assert (code, report["scenario"]) == (0, "413-html")
    assert all(finding["right"] for finding in report["findings"])


async def test_the_list() -> None:
    code, out, _ = await run("simulate", "--scenario", "list")
    assert code == 0
    assert len(out.splitlines()) >= 12


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("--scenario", "unknown"), 2, "there is no scenario unknown; known are 4009-every-30min"),
        (("--scenario", "413-html", "--no-bot"), 3, "leave --no-bot out"),
        (("--scenario", "413-html", "absent.py"), 3, "absent.py cannot be read"),
        (("--chaos", "2"), 2, "is not a probability"),
        (("--chaos", "much"), 2, "is not a probability"),
        (("--shards", "0"), 2, "is not a number of shards"),
        (("--profile", "royal"), 2, "invalid choice"),
        (("--open", "absent.jsonl", "--no-browser", "--port", "0"), 3, "absent.jsonl cannot be read"),
    ],
)
async def test_wrong_words(tmp_path: Path, words: tuple[str, ...], code: int, told: str) -> None:
    finished = await run("simulate", *words, cwd=tmp_path)
    assert finished.code == code
    assert told in finished.err
    assert "Traceback" not in finished.err


async def test_chaos_tells_its_seed_and_what_it_did() -> None:
    words = ("simulate", "--json", "--no-browser", "--port", "0", "--chaos", "1", "--seed", "42")
    async with qqbot(*words) as program:
        platform = json.loads(await program.line("out"))
        assert "seed 42" in await program.line("err", "chaos:")
        async with Control(platform["api_base"], platform["control_token"]) as control:
            await control.say("group", "hello", timeout=2)
        code, _, err = await program.stopped()
    assert code == 0
    summary = [line for line in err.splitlines() if line.startswith("chaos:")][-1]
    assert "faults: none" not in summary
    assert "lost events: " in summary


async def test_profile_and_shards() -> None:
    words = ("simulate", "--json", "--no-browser", "--port", "0", "--profile", "private", "--shards", "3")
    async with qqbot(*words) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            for conversation in ("a", "b", "c"):
                await control.post("say", scene="group", conversation=conversation, user="Alice", text="x")
            assert len((await control.state())["sessions"]) == 3
        assert (await program.stopped()).code == 0


async def test_print_env() -> None:
    async with qqbot("simulate", "--print-env", "--no-bot", "--no-browser", "--port", "0") as program:
        await program.line("out", "QQ_TOKEN_URL")
        code, out, _ = await program.stopped()
    assert code == 0
    variables = dict(line.split("=", 1) for line in out.splitlines() if not line.startswith("#"))
    assert {"QQ_API_BASE", "QQ_AUTH_BASE", "QQBOT_API_BASE", "QQBOT_TOKEN_URL", "QQBOT_APP_ID", "QQBOT_SECRET"} <= set(
        variables
    )


async def test_a_saved_chat_is_opened(tmp_path: Path) -> None:
    chat = tmp_path / "chat.jsonl"
    async with qqbot("simulate", "--json", "--no-browser", "--port", "0") as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            await control.say("group", "remember this")
            chat.write_text(await control.saved_chat())
        await program.stopped()
    async with qqbot("simulate", "--json", "--no-browser", "--port", "0", "--open", chat) as program:
        platform = json.loads(await program.line("out"))
        async with Control(platform["api_base"], platform["control_token"]) as control:
            texts = [message["text"] for message in (await control.state())["messages"]]
        await program.stopped()
    assert texts == ["remember this", "remember this"]
    chat.write_text("nonsense\n")
    finished = await run("simulate", "--no-browser", "--port", "0", "--open", chat)
    assert finished.code == 3
    assert "line 1 of the saved chat" in finished.err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\xff", "is not a saved chat"),
        (b"", "the file is empty"),
        (b'{"line":' + b"[" * 5000, "line 1 of the saved chat"),
        (b'{"line": "message", "text": ' + b"9" * 5000 + b"}", "line 1 of the saved chat"),
        (None, "the file is larger than 64 MiB"),
    ],
)
async def test_a_file_that_is_no_saved_chat_ends_the_start(tmp_path: Path, content: bytes | None, told: str) -> None:
    chat = Path("/dev/zero") if content is None else tmp_path / "chat.jsonl"
    if content is not None:
        chat.write_bytes(content)
    finished = await run("simulate", "--no-browser", "--port", "0", "--open", chat)
    assert finished.code == 3
    assert told in finished.err
    assert "Traceback" not in finished.err
