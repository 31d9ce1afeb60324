"""Signatures, pinned by the platform's samples and by RFC 8032."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qqbot import ConfigError
from qqbot.config import Secret
from qqbot.webhook.signature import Key, public_key, sign, verify

BODY = (
    '{"id":"ROBOT1.0_veoihSEXDc8Q.g-6eLpNIa11bH8MisOjn-m-LKxCPntMk6exUXgcWCGpVO7L2QKTNZzjZzFFDSbiOFcqAPWyVA!!",'
    '"content":"哦一下","timestamp":"2024-10-15T16:33:15+08:00","author":{"id":"675860273","user_openid":"675860273"}}'
).encode()
BODY_SIGNATURE = (
    "e949b5b94ef4103df903fb031d1d16e358db3db83e79e117edd404c8508be3ce"
    "8a76d7bad1bed353194c126a1a5915b4ad8b5288c1191cc53a12acffccd82004"
)


def test_the_sample_of_the_challenge() -> None:
    assert sign("DG5g3B4j9X2KOErG", "1725442341", b"Arq0D5A61EgUu4OxUvOp") == (
        "87befc99c42c651b3aac0278e71ada338433ae26fcb24307bdc5ad38c1adc2d0"
        "1bcfcadc0842edac85e85205028a1132afe09280305f13aa6909ffc2d652c706"
    )


def test_the_sample_of_the_public_key() -> None:
    expected = "d7c362fe78aef81ff23287b493628b5db02a3c4fe30b215e4d19609b5d76673a"
    assert public_key("naOC0ocQE3shWLAfffVLB1rhYPG7") == expected
    assert public_key(Secret("naOC0ocQE3shWLAfffVLB1rhYPG7")) == expected


def test_the_sample_of_an_event() -> None:
    assert sign("123456abcdef", "1728981195", BODY) == BODY_SIGNATURE
    assert verify("123456abcdef", "1728981195", BODY, BODY_SIGNATURE)


@pytest.mark.parametrize(
    ("seed", "public", "message", "signature"),
    [  # RFC 8032, section 7.1, tests 1 and 3
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            (
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
            ),
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_rfc_8032(seed: str, public: str, message: str, signature: str) -> None:
    key = Key(bytes.fromhex(seed))
    assert key.public.hex() == public
    assert key.sign("", bytes.fromhex(message)) == signature
    assert key.verify("", bytes.fromhex(message), signature)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, 33, 64, 65])
def test_a_secret_fills_the_seed_by_repetition(length: int) -> None:
    secret = ("0123456789abcdef" * 5)[:length]
    doubled = secret
    while len(doubled) < 32:
        doubled += doubled
    assert public_key(secret) == Key(doubled[:32].encode()).public.hex()


@given(st.text(min_size=1), st.binary(), st.text())
def test_what_is_no_signature_is_refused_without_an_error(timestamp: str, body: bytes, signature: str) -> None:
    assert not verify("secret", timestamp, body, signature)


def test_a_signature_has_one_spelling() -> None:
    assert not verify("123456abcdef", "1728981195", BODY, BODY_SIGNATURE.upper())
    assert not verify("123456abcdef", "1728981195", BODY, f"{BODY_SIGNATURE}\n")
    order = 2**252 + 27742317777372353535851937790883648493
    half = int.from_bytes(bytes.fromhex(BODY_SIGNATURE)[32:], "little") + order  # the same point, a larger number
    assert not verify("123456abcdef", "1728981195", BODY, BODY_SIGNATURE[:64] + half.to_bytes(32, "little").hex())


def test_another_secret_does_not_verify() -> None:
    assert not verify("123456abcdeg", "1728981195", BODY, BODY_SIGNATURE)


def test_an_empty_secret_is_refused() -> None:
    with pytest.raises(ConfigError, match="empty AppSecret"):
        sign("", "1", b"")


def test_without_the_extra_the_error_names_it() -> None:
    code = (
        "import sys\nsys.modules['cryptography'] = None\nimport qqbot\nfrom qqbot.webhook import sign\n"
        "try: sign('secret', '1', b'')\nexcept qqbot.ConfigError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert "pip install 'aioqqbot[webhook]'" in done.stdout
    assert "secret" not in done.stdout
