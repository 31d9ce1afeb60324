"""What an env file, an editor or a tool adds to a value is named, and never shown."""

from collections.abc import Callable
from pathlib import Path

import pytest

from qqbot import ConfigError, Credentials
from qqbot.config import VARIABLES, ClusterConfig, Endpoints
from tests.cli.program import run

SECRET = "s3cr3t-of-the-bot"
GOOD = {
    "QQBOT_APP_ID": "102030",
    "QQBOT_SECRET": SECRET,
    "QQBOT_PREVIOUS_SECRET": "an-earlier-one",
    "QQBOT_API_BASE": "https://api.bot.qq.com",
    "QQBOT_TOKEN_URL": "https://api.bot.qq.com/token",
    "QQBOT_REDIS_URL": "redis://user:hunter2@host:6379/0",
    "QQBOT_CLUSTER": "mine",
}
READERS: dict[str, Callable[[dict[str, str]], object]] = {
    **dict.fromkeys(("QQBOT_APP_ID", "QQBOT_SECRET", "QQBOT_PREVIOUS_SECRET"), Credentials.from_env),
    **dict.fromkeys(("QQBOT_API_BASE", "QQBOT_TOKEN_URL"), Endpoints.from_env),
    **dict.fromkeys(("QQBOT_REDIS_URL", "QQBOT_CLUSTER"), ClusterConfig.from_env),
}


@pytest.mark.parametrize("quotes", ['""', "''", "“”", "‘’"])
@pytest.mark.parametrize("name", GOOD)
def test_quotes_that_docker_keeps_are_named(name: str, quotes: str) -> None:
    value = GOOD[name]
    READERS[name](dict(GOOD))
    with pytest.raises(ConfigError, match=f"{name} begins and ends with a quotation mark") as caught:
        READERS[name](GOOD | {name: quotes[0] + value + quotes[1]})
    assert value not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (f"\ufeff{SECRET}", "byte order mark"),
        (f"{SECRET} # of the bot", "a blank or a line break inside"),
        (f"{SECRET}\nQQBOT_LOG=debug", "a blank or a line break inside"),
        (f'"{SECRET}"', "quotation mark"),
        (f" {SECRET}", "without spaces around it"),
        (f"{SECRET}\r", "without spaces around it"),
    ],
)
@pytest.mark.parametrize("name", ["QQBOT_SECRET", "QQBOT_PREVIOUS_SECRET"])
def test_what_was_copied_with_a_secret_is_named(name: str, value: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        Credentials.from_env(GOOD | {name: value})
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("value", ['"102030"', "\ufeff102030", "102030 3", SECRET])
def test_an_app_id_that_may_be_the_secret_is_not_shown(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Credentials(value, SECRET)
    assert "102030" not in str(caught.value) and SECRET not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-bom"])
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_secret_file_as_editors_write_it(tmp_path: Path, encoding: str, end: str) -> None:
    file = tmp_path / "secret"
    text = SECRET + end
    file.write_bytes(b"\xff\xfe" + text.encode("utf-16-le") if "le" in encoding else text.encode(encoding))
    found = Credentials.from_env({"QQBOT_APP_ID": "1", "QQBOT_SECRET_FILE": str(file)})
    assert found.secret.reveal() == SECRET


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f'"{SECRET}"'.encode(), "quotation mark"),
        (SECRET.encode() + b"\xff", "cannot be read"),
        (SECRET.encode() * 10_000, "cannot be read"),
        (f"QQBOT_SECRET= {SECRET}".encode(), "a blank"),
        (b"", "AppSecret"),
    ],
)
def test_a_secret_file_of_another_form_is_named(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "secret"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        Credentials.from_env({"QQBOT_APP_ID": "1", "QQBOT_SECRET_FILE": str(file)})
    assert SECRET not in str(caught.value)


async def test_quotes_end_every_command_with_3(tmp_path: Path) -> None:
    file = tmp_path / "some_bot.py"
    file.write_text("from qqbot import Bot\nbot = Bot()\n")
    for arguments in (("run", file), ("call", "GET", "/x"), ("webhook", "pubkey")):
        code, _, err = await run(*arguments, env={**GOOD, "QQBOT_SECRET": f'"{SECRET}"'})
        assert (code, SECRET in err, "引号" in err) == (3, False, True), err
    for name in ("QQBOT_SHARDS", "QQBOT_REDIS_URL"):
        code, _, err = await run("run", file, env={**GOOD, name: '"2"'})
        assert (code, f"{name} begins and ends" in err) == (3, True), err
    for name in ("QQBOT_APP_ID", "QQBOT_REDIS_URL", "QQBOT_CLUSTER"):
        code, _, err = await run("shards", env=GOOD | {name: f"'{GOOD[name]}'"})
        assert (code, f"{name} begins and ends" in err) == (3, True), err


def test_etcd_in_place_of_redis() -> None:
    url = "etcd://user:hunter2@host:2379"
    found = ClusterConfig.from_env({"QQBOT_ETCD_URL": url, "QQBOT_CLUSTER": "mine"})
    assert found is not None and (found.store, found.url.reveal(), found.cluster) == ("etcd", url, "mine")
    with pytest.raises(ConfigError, match="QQBOT_ETCD_URL begins and ends with a quotation mark"):
        ClusterConfig.from_env({"QQBOT_ETCD_URL": f'"{url}"'})
    with pytest.raises(ConfigError, match=r"both set.*unset one of them") as caught:
        ClusterConfig.from_env(GOOD | {"QQBOT_ETCD_URL": url})
    assert "hunter2" not in str(caught.value)


def test_each_variable_that_is_read_is_listed() -> None:
    assert set(GOOD) <= set(VARIABLES)
