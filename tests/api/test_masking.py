"""What the log shows of a body: every secret is masked by its place, and nothing is shown of what has no places."""

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot.api.masking import LONGEST_BODY, masked, masked_text
from qqbot.config import Secret

HIDDEN = 'hid"den\\-\x1b1'
KEY = "k" * 43 + "="
SIGNED = "https://cos.example/part/1?q-sign-algorithm=sha1&q-signature=hidden-1#hidden-2"


def shown(document: object, *secrets: str, **options: object) -> str:
    return masked(json.dumps(document, **options).encode(), [Secret(each) for each in secrets])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name",
    [
        *("access_token", "token", "accessToken", "clientSecret", "client_secret", "CLIENT-SECRET", "secret"),
        *("bot_encrypt_secret", "app_secret", "Authorization", "signature", "X-Signature-Ed25519", "plain_token"),
        *("presigned_url", "upload_url", "password", "refresh_token", "ticket"),
    ],
)
@pytest.mark.parametrize("value", [HIDDEN, ["hidden"], {"a": "hidden"}, 4711])
@pytest.mark.parametrize("escaped", [True, False])
def test_a_field_that_holds_a_secret(name: str, value: object, escaped: bool) -> None:
    text = shown({"id": "7", "parts": [{name: value, "index": 1}]}, ensure_ascii=escaped)
    assert "hid" not in text and "4711" not in text
    assert '"id":"7"' in text and '"index":1' in text and f'"{name}":"***"' in text


def test_the_key_of_a_bind_task_and_no_other_key() -> None:
    assert KEY not in shown({"key": KEY})
    assert "#DESC#" in shown({"ark": {"kv": [{"key": "#DESC#", "value": "words"}]}})


@pytest.mark.parametrize(
    "document",
    [
        {"url": SIGNED},
        {"attachments": [{"url": SIGNED, "voice_wav_url": SIGNED}]},
        {"content": f"look: ![image]({SIGNED}) and <img src='{SIGNED}'>"},
        {"url": "https://hidden-1:hidden-2@host/path"},
        {"message": json.dumps({"clientSecret": "hidden-1", "inner": json.dumps({"token": "hidden-2"})})},
        [[[{"token": "hidden-1"}]]],
        {"url": "https://[hidden-1"},
    ],
)
def test_what_signs_an_address_or_stands_in_quoted_json(document: object) -> None:
    text = shown(document)
    assert "hidden" not in text and "***" in text


def test_a_known_secret_is_masked_wherever_it_stands() -> None:
    for document in ({"a": f"x{HIDDEN}y"}, {HIDDEN: 1}, [HIDDEN], {"m": json.dumps({"n": HIDDEN})}, HIDDEN):
        text = shown(document, HIDDEN)
        assert "hid" not in text and "***" in text
    assert "***" not in shown({"a": "b"}, ""), "an empty secret would stand everywhere"


@pytest.mark.parametrize(
    "body",
    [
        b'{"access_token":"hidden',
        b"access_token=hidden&x=1",
        b"<p>hidden</p>",
        b'--b\r\nContent-Disposition: form-data; name="token"\r\n\r\nhidden\r\n--b--',
        b"\xff\xfe hidden",
        b"[" * 100_000 + b'"hidden"',
    ],
)
def test_of_what_is_no_json_only_the_size_is_shown(body: bytes) -> None:
    assert masked(body, []) == f"({len(body)} bytes that are not JSON)"


def test_it_is_one_short_line() -> None:
    text = shown({"a\n\x1b[2J": "\u202e\n" * 1000, "file_data": "x" * 1_000_000, "list": list(range(10_000))})
    assert len(text) < LONGEST_BODY * 2
    assert text.isprintable() and "\n" not in text


def test_a_deep_body_is_shown_as_far_as_it_is_read() -> None:
    assert "..." in masked(b'{"a":' * 100 + b"1" + b"}" * 100, [])


def test_many_brackets_and_addresses_take_no_time() -> None:
    began = time.process_time()
    shown({"a": "https://" * 100_000, "b": "<" * 500_000, "c": "[" * 500_000})
    assert time.process_time() - began < 2


@given(document=st.binary() | st.recursive(st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps))
def test_it_raises_for_no_body(document: bytes | str) -> None:
    masked(document if isinstance(document, bytes) else document.encode(), [Secret("s")])


def test_a_text_keeps_what_is_no_secret() -> None:
    assert (
        masked_text("see https://q.qq.com/wiki/a#b or s3", [Secret("s3")]) == "see https://q.qq.com/wiki/a#*** or ***"
    )
