"""The table of close codes, row by row, beside the platform's own table."""

import json
from pathlib import Path

import pytest

from qqbot.gateway import close_codes
from qqbot.gateway.close_codes import CLOSE_CODES, LOST, Action, CloseRule, ReconnectDelay, close_rule

RESUME, IDENTIFY, STOP, RESHARD = Action.RESUME, Action.IDENTIFY, Action.STOP, Action.RESHARD
FIXED, SPREAD, GROWING, FULL = (
    ReconnectDelay.FIXED,
    ReconnectDelay.SPREAD,
    ReconnectDelay.GROWING,
    ReconnectDelay.FULL_JITTER,
)

ROWS = [
    # codes, action, delay, growth, refresh, limit
    ((None, 1000, 1001, 1006, 1011, 1012, 3000, 5000), RESUME, 1, FULL, False, 0),
    ((1009,), RESUME, 1, FIXED, False, 0),
    ((4000, 4015, 4099, 4800), IDENTIFY, 5, GROWING, False, 0),
    ((4001, 4002), IDENTIFY, 5, FIXED, False, 2),
    ((4003, 4005, 4006, 4007), IDENTIFY, 1, FIXED, False, 0),
    ((4004,), IDENTIFY, 1, FIXED, True, 5),
    ((4008,), RESUME, 60, FIXED, False, 0),
    ((4009,), RESUME, 1, SPREAD, False, 0),
    ((4010, 4012, 4013, 4014, 4914, 4915), STOP, 0, FIXED, False, 0),
    ((4011,), RESHARD, 5, FIXED, False, 0),
    ((4900, 4901, 4902, *range(4904, 4914)), IDENTIFY, 3, GROWING, False, 0),
    ((4903,), IDENTIFY, 5, GROWING, True, 5),
    ((4916, 4924, 4999), IDENTIFY, 5, GROWING, False, 5),
]


@pytest.mark.parametrize(("code", "row"), [(code, row) for codes, *row in ROWS for code in codes])
def test_each_row(code: int | None, row: list[object]) -> None:
    found = close_rule(code)
    assert [found.action, found.delay, found.growth, found.refresh, found.limit] == row


def stops(found: CloseRule) -> bool:
    return found.action is STOP or bool(found.limit)


def test_what_stops_the_bot_says_what_to_do_in_both_languages() -> None:
    for code in (*CLOSE_CODES, 4924):
        found = close_rule(code)
        assert found.reason and found.source, code
        assert stops(found) == (found.hint is not None), code
        if found.hint is not None:
            assert found.hint.zh and found.hint.en and not found.hint.zh.isascii(), code


def test_only_what_is_counted_in_a_row_has_a_family() -> None:
    assert all(bool(found.family) == bool(found.limit) for found in CLOSE_CODES.values())


def test_the_platforms_table_agrees() -> None:
    tables = Path(close_codes.__file__).parents[1] / "simulator" / "wire" / "data" / "codes.json"
    rows = {row["code"]: row for row in json.loads(tables.read_text(encoding="utf-8"))["close_codes"]}
    for code, row in rows.items():
        if row["status"] == "sdk-internal":
            continue
        found = close_rule(code)
        assert (found.action is RESUME or found.spares_resume) == row["can_resume"], code
        assert (found.action is STOP) == (not row["can_identify"]), code


def test_an_unknown_number_outside_the_platforms_ranges_is_a_lost_connection() -> None:
    assert close_rule(2999) is LOST
    assert close_rule(1015) is LOST
