import contextlib
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import pytest
from msgspec import UNSET, Meta, Struct, UnsetType

from qqbot.errors import DecodeError
from qqbot.models.base import Aware, Finite, OpenIntEnum
from qqbot.models.codec import blank, decoder, encode, fast, lenient, parse, strict, to_json


class Colour(OpenIntEnum):
    RED = 1


class Leaf(Struct, frozen=True):
    id: Annotated[str, Meta(min_length=1)]
    size: int = 0


class Tree(Struct, frozen=True, rename="camel"):
    tree_id: str
    flag: bool = False
    share: float = 0.5
    colour: Colour = Colour.RED
    planted: datetime | None = None
    best_leaf: Leaf | None = None
    leaves: tuple[Leaf, ...] = ()
    notes: list[str] | UnsetType = UNSET
    extra: dict[str, int] = {}


def surprises(data: bytes) -> tuple[Tree, list[str]]:
    heard: list[str] = []
    return lenient(Tree)(data, heard.append), heard


@pytest.mark.parametrize(
    ("data", "tree", "heard"),
    [
        (b'{"treeId":7}', Tree("7"), ["treeId"]),
        (b'{"treeId":"7","flag":1}', Tree("7", flag=True), ["flag"]),
        (b'{"treeId":"7","flag":"false"}', Tree("7"), ["flag"]),
        (b'{"treeId":"7","flag":"perhaps"}', Tree("7"), ["flag"]),
        (b'{"treeId":"7","flag":2}', Tree("7"), ["flag"]),
        (b'{"treeId":"7","share":"0.25"}', Tree("7", share=0.25), []),
        (b'{"treeId":"7","share":"all"}', Tree("7"), ["share"]),
        (b'{"treeId":"7","colour":"9"}', Tree("7", colour=Colour(9)), []),
        (b'{"treeId":"7","colour":"blue"}', Tree("7"), ["colour"]),
        (b'{"treeId":"7","colour":null}', Tree("7"), ["colour"]),
        (b'{"treeId":"7","planted":null}', Tree("7"), []),
        (b'{"treeId":"7","planted":0}', Tree("7", planted=datetime(1970, 1, 1, tzinfo=UTC)), []),
        (b'{"treeId":"7","planted":1e300}', Tree("7"), ["planted"]),
        (b'{"treeId":"7","bestLeaf":{}}', Tree("7"), ["bestLeaf"]),
        (b'{"treeId":"7","bestLeaf":{"id":""}}', Tree("7"), ["bestLeaf"]),
        (b'{"treeId":"7","bestLeaf":[{"id":"a"}]}', Tree("7", best_leaf=Leaf("a")), ["bestLeaf"]),
        (b'{"treeId":"7","bestLeaf":{"id":"a","size":"x"}}', Tree("7", best_leaf=Leaf("a")), ["bestLeaf.size"]),
        (b'{"treeId":"7","bestLeaf":{"id":"a","size":1.5}}', Tree("7", best_leaf=Leaf("a")), ["bestLeaf.size"]),
        (b'{"treeId":"7","bestLeaf":{"id":"a","size":"3"}}', Tree("7", best_leaf=Leaf("a", 3)), []),
        (b'{"treeId":"7","leaves":[{},{"id":"a"},null]}', Tree("7", leaves=(Leaf("a"),)), ["leaves[]", "leaves[]"]),
        (b'{"treeId":"7","leaves":{"id":"a"}}', Tree("7", leaves=(Leaf("a"),)), ["leaves"]),
        (b'{"treeId":"7","leaves":{"size":1}}', Tree("7"), ["leaves", "leaves[]"]),
        (b'{"treeId":"7","leaves":{"other":1}}', Tree("7"), ["leaves"]),
        (b'{"treeId":"7","leaves":{}}', Tree("7"), ["leaves"]),
        (b'{"treeId":"7","leaves":null}', Tree("7"), ["leaves"]),
        (b'{"treeId":"7","notes":{}}', Tree("7", notes=[]), ["notes"]),
        (b'{"treeId":"7","notes":[1,"b",true]}', Tree("7", notes=["1", "b"]), ["notes[]", "notes[]"]),
        (b'{"treeId":"7","notes":null}', Tree("7", notes=[]), ["notes"]),
        (b'{"treeId":"7","extra":{"a":"1"}}', Tree("7", extra={"a": 1}), []),
        (b'{"treeId":"7","extra":[]}', Tree("7"), ["extra"]),
        (b'{"treeId":"7","unheardOf":[[]]}', Tree("7"), []),
    ],
)
def test_lenient(data: bytes, tree: Tree, heard: list[str]) -> None:
    assert surprises(data) == (tree, heard)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"{}", "not a Tree: `treeId` is missing"),
        (b'{"treeId":null}', "`treeId`"),
        (b'{"treeId":[]}', "`treeId`"),
        (b"[]", "not a Tree: the whole"),
        (b"", "not a Tree"),
        (b"{", "not a Tree"),
        (b"\xff", "not a Tree"),
        (b"[" * 100_000, "not a Tree"),
    ],
)
def test_what_cannot_be_used_names_the_type_and_the_field(data: bytes, words: str) -> None:
    for decode in (lenient(Tree), decoder(Tree)):
        with pytest.raises(DecodeError, match=words):
            decode(data)


def test_decoder_falls_back_to_the_lenient_way() -> None:
    assert decoder(Tree)(b'{"treeId":7,"leaves":null}') == Tree("7")
    assert decoder(list[Leaf])(b'[{"id":1},{}]') == [Leaf("1")]


def test_fast_takes_documented_other_forms_and_strict_does_not() -> None:
    assert fast(Leaf)(b'{"id":"a","size":"3"}') == Leaf("a", 3)
    with pytest.raises(msgspec.ValidationError, match="size"):
        strict(Leaf)(b'{"id":"a","size":"3"}')


def test_plain_values() -> None:
    tree = Tree("7", leaves=(Leaf("a"),))
    assert parse(encode(tree)) == parse(encode(to_json(tree)))
    assert to_json(tree.leaves[0]) == {"id": "a", "size": 0}
    assert "notes" not in encode(tree).decode()


class Fruit(Struct, frozen=True):
    leaf: Leaf
    names: tuple[str, ...]
    weight: float
    ripe: bool
    colour: Colour = Colour.RED


class Dated(Struct, frozen=True):
    picked: datetime


def test_a_blank_value() -> None:
    assert blank(Fruit) == Fruit(leaf=Leaf(""), names=(), weight=0.0, ripe=False)
    with pytest.raises(DecodeError, match="not a Dated: the answer is empty"):
        blank(Dated)


class Coloured(Struct):
    """Fields of each kind that a number, or a text for one, can break."""

    kind: Colour = Colour.RED
    count: int = 0
    share: Finite = 0.0
    flag: bool = False
    text: str = ""
    when: Aware | None = None


DIGITS = "9" * 5000


@pytest.mark.parametrize(
    "value", [DIGITS, f'"{DIGITS}"', f"-{DIGITS}", "1e999", '"1e999"', '"nan"', '"-Infinity"', "NaN"]
)
@pytest.mark.parametrize("field", ["kind", "count", "share", "flag", "when"])
def test_numbers_that_no_answer_has(field: str, value: str) -> None:
    data = f'{{"{field}": {value}}}'.encode()
    found = Coloured()
    with contextlib.suppress(DecodeError):
        found = decoder(Coloured)(data)
    assert getattr(found, field) == getattr(Coloured(), field)


class Required(Struct):
    kind: Colour


@pytest.mark.parametrize(
    "value", [f'"{DIGITS}"', DIGITS, '"x"', "null", "[]", "{}", "1.5", '"²"', '"\\ud800"', "[" * 5000, '{"a":' * 5000]
)
def test_an_enumeration_that_is_none(value: str) -> None:
    with pytest.raises(DecodeError):
        decoder(Required)(f'{{"kind": {value}}}'.encode())


@pytest.mark.parametrize(
    "data", [b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b'"\xed\xa0\x80"', b"\xff", b"", b"\0"]
)
def test_documents_that_are_none(data: bytes) -> None:
    for type_ in (Coloured, object, str, list[int]):
        with pytest.raises(DecodeError):
            decoder(type_)(data)
