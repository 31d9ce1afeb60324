"""Random documents, as a broken or hostile sender makes them: JSON of any form, nearly JSON, and anything else."""

import json
import os

from hypothesis import strategies as st

COUNT = int(os.environ.get("TEST_DOCUMENTS", "200"))
"""How many documents each test tries; `nox -s documents` tries a thousand."""

FIELDS = [
    "id",
    "code",
    "err_code",
    "message",
    "data",
    "access_token",
    "expires_in",
    "url",
    "shards",
    "author",
    "content",
]
FIELDS += [
    "session_start_limit",
    "max_concurrency",
    "remaining",
    "reset_after",
    "total",
    "plain_token",
    "event_ts",
    "type",
]
FIELDS += [
    "message_audit",
    "audit_id",
    "trace_id",
    "timestamp",
    "user_openid",
    "group_openid",
    "attachments",
    "mentions",
]

EXTREMES = [
    b"[" * 5000,
    b'{"a":' * 5000,
    b"9" * 5000,
    b"-" + b"9" * 400,
    b"1e999",
    b"NaN",
    b"Infinity",
    b'"\\ud800"',
    b'"\xed\xa0\x80"',
    b"\xff\xfe",
    b"\0",
    b"",
    b"\xef\xbb\xbf{}",
    b'{"code":' + b"9" * 4000 + b"}",
    b'{"err_code":' + b"9" * 4000 + b"}",
    b'{"code":"' + b"9" * 5000 + b'"}',
    b'{"shards":' + b"9" * 30 + b',"url":"wss://a"}',
    b'{"url":"wss://a","session_start_limit":{"max_concurrency":1e300,"reset_after":"nan"}}',
    b'{"access_token":"t","expires_in":"nan"}',
    b'{"access_token":"t","expires_in":"Infinity"}',
    b'{"access_token":"t","expires_in":1e300}',
    b"<" * 20_000,
    b"<html><body>" + b"<p>" * 5000,
]


def documents() -> st.SearchStrategy[bytes]:
    """Bytes that may be JSON."""
    numbers = st.one_of(st.integers(), st.integers(-(10**30), 10**30), st.floats())
    leaves = st.one_of(
        st.none(), st.booleans(), numbers, st.text(max_size=20), st.sampled_from(["nan", "9" * 5000, "0"])
    )
    names = st.one_of(st.sampled_from(FIELDS), st.text(max_size=5))
    values = st.recursive(
        leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=12
    )
    objects = st.dictionaries(names, values, max_size=6)
    written = st.one_of(objects, values).map(lambda value: json.dumps(value).encode())
    cut = st.builds(lambda data, end: data[:end], written, st.integers(0, 60))
    return st.one_of(written, written, st.sampled_from(EXTREMES), cut, st.binary(max_size=60))
