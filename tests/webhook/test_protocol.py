"""What each webhook call is worth, without a socket: challenge, trust, freshness, envelopes."""

import json
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from qqbot import ConfigError
from qqbot.webhook import WebhookProtocol, sign
from qqbot.webhook.protocol import AGAIN, DONE, misdirected

APP_ID, SECRET, NOW = "102000001", "DG5g3B4j9X2KOErG", 1_725_442_341.0
PROTOCOL = WebhookProtocol(APP_ID, [SECRET])
EVENT = json.dumps(
    {"op": 0, "s": 7, "t": "C2C_MESSAGE_CREATE", "id": "C2C_MESSAGE_CREATE:1", "d": {"id": "m", "content": "嗨"}}
).encode()


def headers(body: bytes, *, at: float = NOW, secret: str = SECRET, **more: str) -> dict[str, str]:
    timestamp = str(int(at))
    return {
        "User-Agent": "QQBot-Callback",
        "X-Bot-Appid": APP_ID,
        "X-Signature-Ed25519": sign(secret, timestamp, body),
        "X-Signature-Timestamp": timestamp,
        **more,
    }


def challenge(event_ts: object, plain_token: object) -> bytes:
    return json.dumps({"op": 13, "d": {"plain_token": plain_token, "event_ts": event_ts}}).encode()


def answer(body: bytes, fields: dict[str, str] | None = None) -> Any:
    reply = PROTOCOL.receive({} if fields is None else fields, body, NOW).reply
    return reply.status, json.loads(reply.body)


def test_an_event_is_acknowledged_and_handed_over() -> None:
    receipt = PROTOCOL.receive(headers(EVENT), EVENT, NOW)
    assert receipt.reply == DONE
    assert (DONE.status, json.loads(DONE.body)) == (200, {"op": 12, "d": 0})
    assert (AGAIN.status, json.loads(AGAIN.body)) == (200, {"op": 12, "d": 1})
    assert receipt.frame is not None
    assert (receipt.frame.t, receipt.frame.id, receipt.frame.s) == ("C2C_MESSAGE_CREATE", "C2C_MESSAGE_CREATE:1", 7)
    assert json.loads(bytes(receipt.frame.d)) == {"id": "m", "content": "嗨"}
    assert receipt.refusal == ""


def test_header_names_come_in_any_spelling() -> None:
    lower = {name.lower(): value for name, value in headers(EVENT).items()}
    assert PROTOCOL.receive(lower, EVENT, NOW).frame is not None
    without = {name: value for name, value in headers(EVENT).items() if name != "X-Bot-Appid"}
    assert PROTOCOL.receive(without, EVENT, NOW).frame is not None


def test_the_challenge_of_the_documentation() -> None:
    status, body = answer(challenge("1725442341", "Arq0D5A61EgUu4OxUvOp"))
    assert status == 200
    assert body == {
        "plain_token": "Arq0D5A61EgUu4OxUvOp",
        "signature": "87befc99c42c651b3aac0278e71ada338433ae26fcb24307bdc5ad38c1adc2d0"
        "1bcfcadc0842edac85e85205028a1132afe09280305f13aa6909ffc2d652c706",
    }
    assert answer(challenge(1725442341, "Arq0D5A61EgUu4OxUvOp")) == (200, body)


@pytest.mark.parametrize(
    ("event_ts", "plain_token"),
    [
        ("1725442341", '{"op":0}'),
        ("1725442341", ""),
        ("1725442341", "a" * 65),
        ("1725442341", "a b"),
        ("1725442341", "a\n"),
        ("1725442341\n", "a"),
        ("1725442341{", "a"),
        ("", "a"),
        ("1" * 13, "a"),
        ("１７", "a"),
        (-5, "a"),
        (1.5, "a"),
        (10**40, "a"),
        (None, "a"),
        ("1", None),
        ("1", ["a"]),
    ],
)
def test_a_challenge_of_another_form_is_not_signed(event_ts: object, plain_token: object) -> None:
    status, body = answer(challenge(event_ts, plain_token))
    assert status == 400
    assert set(body) == {"error"}


@pytest.mark.parametrize("d", ["null", "7", "[]", '"x"', "{}"])
def test_a_challenge_without_its_fields_is_not_signed(d: str) -> None:
    assert answer(b'{"op":13,"d":' + d.encode() + b"}")[0] == 400


tokens = st.one_of(st.text(), st.text(alphabet='{}[]":,0123456789abcopdt_- \t\n', max_size=70), st.just(EVENT.decode()))
moments = st.one_of(st.integers(), st.text(), st.text(alphabet="0123456789", max_size=14), st.just(str(int(NOW))))


@given(moments, tokens)
@example(str(int(NOW)), '{"op":0,"t":"X","d":{}}')
@example("1725442341", "1725442341")
def test_no_answer_to_a_challenge_verifies_as_an_event(event_ts: int | str, plain_token: str) -> None:
    try:
        body = challenge(event_ts, plain_token)
    except UnicodeEncodeError:
        assume(False)
    receipt = PROTOCOL.receive({}, body, NOW)
    if receipt.reply.status != 200:
        return
    signature = json.loads(receipt.reply.body)["signature"]
    signed = f"{event_ts}{plain_token}".encode()
    for cut in range(len(signed) + 1):  # wherever the forger lets the timestamp end and the body begin
        timestamp = signed[:cut].decode("latin-1")
        forged = {"X-Signature-Timestamp": timestamp, "X-Signature-Ed25519": signature}
        for now in (NOW, float(timestamp) if timestamp.isdecimal() else NOW):
            found = PROTOCOL.receive(forged, signed[cut:], now)
            assert found.frame is None
            assert found.reply.status in (400, 401)


@given(st.integers(0, len(EVENT) - 1), st.integers(1, 255))
def test_any_changed_byte_of_the_body_is_refused(position: int, flip: int) -> None:
    changed = bytearray(EVENT)
    changed[position] ^= flip
    receipt = PROTOCOL.receive(headers(EVENT), bytes(changed), NOW)
    assert (receipt.reply.status, receipt.frame) == (401, None)


@given(st.sampled_from(["X-Signature-Timestamp", "X-Signature-Ed25519"]), st.data())
def test_any_changed_character_of_timestamp_or_signature_is_refused(name: str, data: st.DataObject) -> None:
    fields = headers(EVENT)
    position = data.draw(st.integers(0, len(fields[name]) - 1))
    character = data.draw(st.characters(min_codepoint=1, max_codepoint=255))
    assume(character != fields[name][position])
    fields[name] = fields[name][:position] + character + fields[name][position + 1 :]
    receipt = PROTOCOL.receive(fields, EVENT, NOW)
    assert (receipt.reply.status, receipt.frame) == (401, None)


@given(st.binary(max_size=200))
@example(b"")
@example(b"{}")
@example(b"[" * 100_000)
def test_unsigned_bytes_of_any_kind_get_401_or_are_a_challenge(body: bytes) -> None:
    receipt = PROTOCOL.receive({}, body, NOW)
    assert receipt.frame is None
    assert receipt.reply.status == 401


@pytest.mark.parametrize("missing", ["X-Signature-Timestamp", "X-Signature-Ed25519"])
def test_half_a_signature_is_none(missing: str) -> None:
    fields = headers(EVENT)
    del fields[missing]
    assert PROTOCOL.receive(fields, EVENT, NOW).refusal == "the call is not signed"


def test_the_part_between_timestamp_and_body_cannot_be_moved() -> None:
    body = b"5" + EVENT
    moved = headers(body) | {"X-Signature-Timestamp": f"{int(NOW)}5"}
    found = PROTOCOL.receive(moved, EVENT, float(f"{int(NOW)}5"))
    assert found.frame is not None, "the bytes are the same: what tells them apart is that no body starts with a digit"
    assert PROTOCOL.receive(headers(body), body, NOW).reply.status == 400
    assert PROTOCOL.receive(moved, EVENT, NOW).reply.status == 401


@pytest.mark.parametrize(("off", "status"), [(0, 200), (300, 200), (-300, 200), (302, 401), (-302, 401)])
def test_a_call_is_good_for_a_window(off: int, status: int) -> None:
    receipt = PROTOCOL.receive(headers(EVENT, at=NOW + off), EVENT, NOW)
    assert receipt.reply.status == status
    assert (receipt.frame is None) == (status == 401)


def test_the_window_can_be_set() -> None:
    narrow = WebhookProtocol(APP_ID, [SECRET], window=5)
    assert narrow.receive(headers(EVENT, at=NOW - 10), EVENT, NOW).reply.status == 401
    for wrong in (0, -1, 301, float("nan")):
        with pytest.raises(ConfigError, match="ids of events are remembered"):
            WebhookProtocol(APP_ID, [SECRET], window=wrong)


def test_old_and_new_secret_are_accepted_while_it_is_changed() -> None:
    protocol = WebhookProtocol(APP_ID, ["the new secret", SECRET])
    assert protocol.receive(headers(EVENT), EVENT, NOW).frame is not None
    assert protocol.receive(headers(EVENT, secret="the new secret"), EVENT, NOW).frame is not None
    assert protocol.receive(headers(EVENT, secret="another secret"), EVENT, NOW).reply.status == 401
    answered = json.loads(protocol.receive({}, challenge("1", "a"), NOW).reply.body)
    assert answered["signature"] == sign("the new secret", "1", b"a")
    with pytest.raises(ConfigError):
        WebhookProtocol(APP_ID, [])


def test_a_call_for_another_bot_is_refused() -> None:
    for body in (EVENT, challenge("1", "a")):
        receipt = PROTOCOL.receive(headers(body) | {"X-Bot-Appid": "102000002"}, body, NOW)
        assert (receipt.reply.status, receipt.frame) == (401, None)


@pytest.mark.parametrize("seq", ["5", "null"])
def test_a_signed_heartbeat_is_answered(seq: str) -> None:
    body = b'{"op":1,"d":' + seq.encode() + b"}"
    assert answer(body, headers(body)) == (200, {"op": 11, "d": json.loads(seq)})
    assert answer(body)[0] == 401


@pytest.mark.parametrize(
    "body", [b"", b"null", b"5", b"[]", b"{}", b'{"op":"x"}', b'{"op":0,"d":{}}', b'{"op":0,"t":5}', b'{"op":0,"t":""}']
)
def test_what_is_signed_but_no_payload_is_a_bad_request(body: bytes) -> None:
    receipt = PROTOCOL.receive(headers(body), body, NOW)
    assert (receipt.reply.status, receipt.frame) == (400, None)


def test_an_opcode_of_another_kind_is_acknowledged() -> None:
    body = b'{"op":7}'
    receipt = PROTOCOL.receive(headers(body), body, NOW)
    assert (receipt.reply, receipt.frame) == (DONE, None)


@pytest.mark.parametrize(
    ("method", "content_type", "status"),
    [
        ("POST", "application/json", None),
        ("POST", "application/json; charset=utf-8", None),
        ("POST", "Application/JSON", None),
        ("POST", "application/problem+json", None),
        ("POST", "", None),
        ("POST", "text/plain", 415),
        ("POST", "application/x-www-form-urlencoded", 415),
        ("GET", "application/json", 405),
        ("PUT", "application/json", 405),
        ("HEAD", "", 405),
    ],
)
def test_methods_and_content_types(method: str, content_type: str, status: int | None) -> None:
    reply = misdirected(method, content_type)
    assert (None if reply is None else reply.status) == status
    if status == 405:
        assert reply is not None and reply.parts[1]["Allow"] == "POST"


def test_a_refusal_holds_nothing_of_the_call() -> None:
    body = b'{"op":0,"t":"X","d":"private words"}'
    receipt = PROTOCOL.receive(headers(body, secret="wrong"), body, NOW)
    assert "private words" not in receipt.refusal
    assert b"private words" not in receipt.reply.body
    assert SECRET not in repr(PROTOCOL) + repr(receipt)


@pytest.mark.parametrize("cut", [b"", b"{", b'{"op":13,"d":{"plain_token":"a', b"\xff\xfe", b"op=13&d="])
def test_a_challenge_that_was_mangled_is_no_json(cut: bytes) -> None:
    receipt = PROTOCOL.receive({}, cut, NOW)
    assert (receipt.reply.status, receipt.refusal) == (401, "the body is not JSON")
    signed = PROTOCOL.receive(headers(cut, secret="wrong"), cut, NOW)
    assert (signed.reply.status, signed.refusal) == (401, "the body is not JSON")
    assert PROTOCOL.receive({}, b'{"op":13}', NOW).refusal != "the body is not JSON"
    assert PROTOCOL.receive({}, b'{"a":1}', NOW).refusal == "the call is not signed"
