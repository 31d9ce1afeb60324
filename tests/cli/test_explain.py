"""`qqbot explain`: every documented code, in words and as JSON, without a network."""

import json
from pathlib import Path

import pytest

import qqbot
from qqbot.cli import main
from tests.cli.program import run

TABLES = Path(qqbot.__file__).parent / "simulator" / "wire" / "data"
DOCUMENTED = json.loads((TABLES / "codes.json").read_text(encoding="utf-8"))
API_CODES = [row["code"] for row in DOCUMENTED["api_errors"]]
TOKEN_CODES = [row["code"] for row in DOCUMENTED["token"]["errors"]]
CLOSE_CODES = [row["code"] for row in DOCUMENTED["close_codes"] if row["status"] != "sdk-internal"]


def explained(code: int, capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    assert main(["explain", str(code), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_api_code_has_meaning_remedy_retry_hints_and_source(capsys: pytest.CaptureFixture[str]) -> None:
    for row in DOCUMENTED["api_errors"]:
        meanings = {each["family"]: each for each in explained(row["code"], capsys)}
        general = meanings["OpenAPI"]
        assert general["meaning"] == row["meaning"]
        assert all(general[name] for name in ("remedy", "retry", "hint_zh", "hint_en", "source")), general
        assert issubclass(getattr(qqbot.errors, general["remedy"]), qqbot.errors.ApiError)


@pytest.mark.parametrize("code", TOKEN_CODES)
def test_the_token_endpoint_is_a_family_of_its_own(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = [row for row in DOCUMENTED["token"]["errors"] if row["code"] == code]
    (meaning,) = [each for each in explained(code, capsys) if each["family"] == "access token"]
    assert meaning["meaning"] == row["meaning"]


@pytest.mark.parametrize("code", [10001, 10003])
def test_generate_url_link_is_a_family_of_its_own(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert [each["family"] for each in explained(code, capsys)] == ["OpenAPI", "generate_url_link"]


def test_every_close_code_says_what_the_bot_does(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {row["code"]: row for row in DOCUMENTED["close_codes"]}
    for code in CLOSE_CODES:
        (meaning,) = [each for each in explained(code, capsys) if each["family"] == "gateway close code"]
        assert meaning["meaning"] == rows[code]["meaning"]
        assert meaning["remedy"].startswith("the bot ")
        assert meaning["source"]


@pytest.mark.parametrize("code", [4014, 4915])
def test_a_close_code_that_stops_the_bot_says_what_to_do(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    (meaning,) = explained(code, capsys)
    assert meaning["remedy"] == "the bot stops"
    assert "q.qq.com" in meaning["hint_zh"]
    assert "q.qq.com" in meaning["hint_en"]


def test_the_text_holds_what_the_json_holds(capsys: pytest.CaptureFixture[str]) -> None:
    meanings = explained(10004, capsys)
    assert main(["explain", "10004"]) == 0
    text = capsys.readouterr().out
    assert len(meanings) == 2
    for meaning in meanings:
        assert all(str(value) in text for value in meaning.values())


@pytest.mark.parametrize(
    ("code", "area"), [(610099, "api permission"), (49999999, "4xx style"), (4923, "gateway close codes")]
)
def test_an_unknown_code_names_the_area_of_its_range(code: int, area: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", str(code)])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert area in err


@pytest.mark.parametrize("code", [7, 9005])
def test_a_number_that_no_platform_sends_is_unknown(code: int, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", str(code), "--json"])
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert json.loads(out) == []
    assert f"{code} is not documented. " in err


async def test_no_configuration_is_needed() -> None:
    code, out, err = await run("explain", "304023", env={"QQBOT_APP_ID": "", "QQBOT_SECRET": ""})
    assert (code, err) == (0, "")
    assert "MessagePendingAudit" in out
    assert (await run("explain", "many")).code == 2
