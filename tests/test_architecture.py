"""The layers: which module may import which. The table below is the rule; the tests hold the source to it."""

import ast
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "qqbot"

# Lowest level first. `x.*` is the package x with all that it holds. A package that spans levels lists each
# module; its own name, the `__init__`, stands at its lowest level, or where the names are that it offers.
# `qqbot` is the module of the public names.
LEVELS: tuple[tuple[str, ...], ...] = (
    ("errors",),
    ("codec", "config"),
    ("models.*",),
    (
        *("gateway", "gateway.frames", "gateway.close_codes"),
        *("api", "api.routes", "api.codes"),
        *("webhook.signature", "predicates", "watermark"),
    ),
    (
        "gateway.protocol",
        *("api.exchange", "api.retry", "api.limits", "api.sequence", "api.windows", "api.multipart"),
        "webhook.protocol",
        "ports",
    ),
    ("network", "clock", "stay"),
    (
        *("gateway.shard", "gateway.link"),
        "sessions.*",
        *("api.transport", "api.token", "api.caller", "api.resources.*", "api.client"),
        *("api.files", "api.uploads", "api.streams", "api.downloads"),
        *("webhook", "webhook.desk", "webhook.site", "webhook.server", "webhook.asgi", "webhook.application"),
        "webhook.trial",
        *("dispatcher.*", "audits", "muting", "looplag"),
    ),
    ("context", "fleet", "ingest.*", "health"),
    ("router", "service", "process"),
    ("bot",),
    ("qqbot",),
    ("cli.*", "__main__", "testing", "testing.pytest_plugin", "testing.contracts", "testing.scripted"),
)
HIGHEST_PURE = 4
IMPURE = {"asyncio", "aiohttp", "redis", "time"}

SIMULATOR = "testing.simulator"
SIMULATOR_IMPORTS = {"errors", "config", "webhook.signature"}
SIMULATOR_USERS = {"cli", "testing"}

# Packages that do not import each other at any level: fleet, above both, joins them.
APART = {"sessions", "gateway"}

SHAPELESS = {"utils", "util", "helpers", "helper", "common", "misc"}


def inside(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def level(module: str) -> int | None:
    """The level of a module, None where the table does not place it."""
    for number, names in enumerate(LEVELS):
        for name in names:
            if module == name or (name.endswith(".*") and inside(module, name[:-2])):
                return number
    return None


def column(module: str) -> str:
    """The package that a module belongs to: its first name."""
    return "cli" if module == "__main__" else module.partition(".")[0]


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "qqbot"


MODULES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}
KNOWN = {*MODULES, SIMULATOR, *(name.removesuffix(".*") for names in LEVELS for name in names)}


def absolute(module: str, node: ast.ImportFrom, is_package: bool) -> str:
    """The dotted name that `from X import` names, with `qqbot` in front where it is ours."""
    if not node.level:
        return node.module or ""
    here = ["qqbot"] if module == "qqbot" else ["qqbot", *module.split(".")]
    base = here[: len(here) - node.level + is_package]
    return ".".join([*base, *([node.module] if node.module else [])])


def imports(module: str, source: str, is_package: bool = False) -> Iterator[str]:
    """Every name that `source` imports: at the top, in functions and under TYPE_CHECKING alike."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = absolute(module, node, is_package)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_module(name: str) -> str | None:
    """The module of this package that the imported `name` lives in, None for somebody else's."""
    if not inside(name, "qqbot"):
        return None
    parts = name.split(".")[1:]
    while parts and ".".join(parts) not in KNOWN:
        parts.pop()
    return ".".join(parts) or "qqbot"


def forbidden_between(module: str, target: str) -> str | None:
    """Why `module` must not import `target`, both of this package."""
    if inside(module, SIMULATOR):
        allowed = inside(target, SIMULATOR) or target in SIMULATOR_IMPORTS
        return None if allowed else f"{module} imports {target}: the simulator shares nothing with the client"
    if inside(target, SIMULATOR):
        allowed = column(module) in SIMULATOR_USERS
        return None if allowed else f"{module} imports {target}: only cli and testing may"
    return forbidden_by_level(module, target)


def forbidden_by_level(module: str, target: str) -> str | None:
    own, other = level(module), level(target)
    if own is None or other is None:
        return f"{module} imports {target}: {module if own is None else target} has no level"
    if {column(module), column(target)} == APART:
        return f"{module} imports {target}: {' and '.join(sorted(APART))} do not import each other"
    if other > own:
        return f"{module} (level {own}) imports {target} (level {other})"
    if other == own and column(module) != column(target):
        return f"{module} imports {target}: columns of level {own} do not see each other"
    return None


def forbidden_outside(module: str, name: str) -> str | None:
    """Why `module` must not import `name`, which is not of this package."""
    if inside(module, SIMULATOR):
        return None
    own = level(module)
    if own is not None and own <= HIGHEST_PURE and name.partition(".")[0] in IMPURE:
        return f"{module} (level {own}) imports {name}: levels 0-{HIGHEST_PURE} are pure"
    if module != "codec" and (inside(name, "msgspec.json") or inside(name, "msgspec.msgpack")):
        return f"{module} imports {name}: only codec makes encoders and decoders"
    return None


def forbidden_uses(module: str, source: str) -> Iterator[str]:
    """`msgspec.json` and `msgspec.msgpack` reached as attributes."""
    if module == "codec" or inside(module, SIMULATOR):
        return
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id="msgspec"), attr="json" | "msgpack" as attr):
                yield f"{module}, line {node.lineno}: msgspec.{attr}; only codec makes encoders and decoders"


def violations(module: str, source: str, is_package: bool = False) -> list[str]:
    found: list[str | None] = [*forbidden_uses(module, source)]
    for name in imports(module, source, is_package):
        target = own_module(name)
        found.append(forbidden_outside(module, name) if target is None else forbidden_between(module, target))
    return [text for text in found if text]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    path = MODULES[module]
    assert violations(module, path.read_text("utf-8"), path.name == "__init__.py") == []


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_place(module: str) -> None:
    assert inside(module, SIMULATOR) or level(module) is not None
    assert not SHAPELESS & set(module.split("."))


def test_no_import_cycle() -> None:
    graph: dict[str, set[str]] = {}
    for module, path in MODULES.items():
        names = imports(module, path.read_text("utf-8"), path.name == "__init__.py")
        graph[module] = {target for name in names if (target := own_module(name))} - {module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(reversed(error.args[1])))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("errors", "from .config import Secret"),
        ("models.gateway", "from ..bot import Bot"),
        ("models.gateway", "import asyncio"),
        ("models.gateway", "def f():\n    from time import monotonic"),
        (
            "ports",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from aiohttp import ClientSession",
        ),
        ("watermark", "from .ports import Lease"),
        ("gateway.protocol", "from .shard import Shard"),
        ("gateway.shard", "from ..dispatcher import Dispatcher"),
        ("gateway.shard", "from qqbot.sessions import SessionManager"),
        ("sessions.local", "from qqbot.gateway import frames"),
        ("fleet", "import qqbot.bot"),
        ("context", "from . import fleet"),
        ("bot", "from qqbot import Bot"),
        ("bot", "from .testing.simulator import Simulator"),
        ("testing.simulator.rest", "from ...api import routes"),
        ("testing.simulator.rest", "from ...models.gateway import ShardKey"),
        ("testing.simulator", "from .. import Simulator"),
        ("unplaced", "from .errors import ConfigError"),
        ("api.caller", "import msgspec\nmsgspec.json.decode(b'')"),
        ("api.caller", "from msgspec import json"),
        ("api.caller", "from msgspec.json import Decoder"),
    ],
)
def test_the_checker_finds(module: str, source: str) -> None:
    assert len(violations(module, source, is_package=module == SIMULATOR)) == 1


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("gateway.shard", "import asyncio\nfrom .protocol import GatewayProtocol\nfrom ..ports import Lease"),
        ("gateway.shard", "from . import frames\nfrom ..errors import GatewayHalted"),
        ("sessions.local", "from .base import SessionManager"),
        ("cli", "def simulate():\n    from ..testing.simulator import Simulator"),
        ("testing", "from .simulator import Simulator"),
        ("testing.simulator.rest", "import time\nimport msgspec.json\nfrom ...config import Credentials"),
        ("codec", "import msgspec\nmsgspec.json.Decoder(int)"),
    ],
)
def test_the_checker_allows(module: str, source: str) -> None:
    assert violations(module, source, is_package=module in {"cli", "testing"}) == []
