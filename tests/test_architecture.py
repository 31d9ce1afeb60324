"""What import-linter cannot say of the tree; its own contracts stand in pyproject.toml."""

import ast
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "qqbot"
MODULES = {path.relative_to(SOURCE).as_posix(): path.read_text("utf-8") for path in sorted(SOURCE.rglob("*.py"))}

SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc"}
MOST_FILES = 25
MOST_AT_THE_TOP = 8
LARGE = {"models", "api/resources"}  # one module for each kind of thing that the platform has
ENCODERS = {"json", "msgpack"}


def makes_encoders(source: str) -> Iterator[int]:
    """Yield the lines that reach msgspec.json or msgspec.msgpack."""
    if "msgspec" not in source:
        return  # most modules; to parse and walk all of them takes seconds
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names) if any(name.name.startswith("msgspec.") for name in names):
                yield node.lineno
            case ast.ImportFrom(module="msgspec.json" | "msgspec.msgpack"):
                yield node.lineno
            case ast.ImportFrom(module="msgspec", names=names) if ENCODERS & {name.name for name in names}:
                yield node.lineno
            case ast.Attribute(value=ast.Name(id="msgspec"), attr="json" | "msgpack"):
                yield node.lineno


@pytest.mark.parametrize("module", [name for name in MODULES if not name.startswith("simulator/")])
def test_only_the_codec_makes_encoders(module: str) -> None:
    assert module == "models/codec.py" or [*makes_encoders(MODULES[module])] == []


@pytest.mark.parametrize(
    "source",
    [
        "import msgspec\nmsgspec.json.decode(b'')",
        "from msgspec import json",
        "from msgspec.json import Decoder",
        "import msgspec.json",
    ],
)
def test_an_encoder_is_found(source: str) -> None:
    assert [*makes_encoders(source)] != []


def test_a_folder_stays_small() -> None:
    sizes = Counter(Path(name).parent.as_posix() for name in MODULES)
    large = {folder: size for folder, size in sizes.items() if size > MOST_FILES and folder not in LARGE}
    assert large == {}
    assert sizes["."] <= MOST_AT_THE_TOP


def test_a_class_name_stands_once() -> None:
    homes: defaultdict[str, list[str]] = defaultdict(list)
    for name, source in MODULES.items():
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(name)
    assert {name: found for name, found in homes.items() if len(found) > 1} == {}


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_named_by_what_it_holds(module: str) -> None:
    assert not SHAPELESS & set(Path(module).with_suffix("").parts)
