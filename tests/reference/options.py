"""The page of options: environment variables, and what `Bot`, `Api` and the classes beside them take.

Responsible for reading names, types and defaults from signatures. Collaborators: `qqbot.config.VARIABLES` has the
variables, `options.toml` the words.
"""

import ast
import inspect
import typing
from collections.abc import Iterator
from dataclasses import is_dataclass

from qqbot import Api, Bot, Endpoints, GatewayConfig
from qqbot.api import client
from qqbot.api.client import ApiOptions
from qqbot.config import VARIABLES
from qqbot.sessions import EtcdSessionManager, LocalSessionManager, RedisSessionManager

from .words import Both, code, heading, pick, read, table

NAME = "options.md"
TITLE = Both("Options", "选项")

WORDS = read("options.toml")

INTRODUCTION = Both(
    """Arguments override the environment. Times are in seconds, sizes in bytes. This page
is written by `nox -s reference`.""",
    """参数优先于环境变量。时间以秒为单位，大小以字节为单位。本页由 `nox -s reference` 生成。""",
)

SECTIONS = {
    Bot: Both("The options of `Api` are options of `Bot`, too.", "`Api` 的选项也是 `Bot` 的选项。"),
    Api: Both(
        "`async with Api(credentials) as api:` makes calls without a bot.",
        "`async with Api(credentials) as api:` 不需要机器人就能调用接口。",
    ),
    GatewayConfig: Both(
        "`Bot(gateway=GatewayConfig(...))`; the defaults are right for the platform.",
        "`Bot(gateway=GatewayConfig(...))`；默认值适合平台。",
    ),
    Endpoints: Both("`Bot(endpoints=Endpoints(...))`.", "`Bot(endpoints=Endpoints(...))`。"),
    LocalSessionManager: Both(
        "`Bot(sessions=LocalSessionManager(...))` runs every shard in this process.",
        "`Bot(sessions=LocalSessionManager(...))` 在本进程运行全部分片。",
    ),
    RedisSessionManager: Both(
        "`Bot(sessions=RedisSessionManager(...))` shares the shards with others: [Production](../production.md).",
        "`Bot(sessions=RedisSessionManager(...))` 与其他进程分担分片，见[生产环境](../production.md)。",
    ),
    EtcdSessionManager: Both(
        "`Bot(sessions=EtcdSessionManager(...))` shares the shards through etcd: [Production](../production.md#etcd).",
        "`Bot(sessions=EtcdSessionManager(...))` 通过 etcd 与其他进程分担分片，见[生产环境](../production.md#etcd)。",
    ),
}


def page(language: str) -> str:
    """Return the page in one language."""
    parts = [f"# {pick(language, TITLE)}", pick(language, INTRODUCTION)]
    parts += [
        heading(language, 2, Both("Environment variables", "环境变量"), "environment-variables"),
        _variables(language),
    ]
    for owner, about in SECTIONS.items():
        parts += [f"## {owner.__name__}", pick(language, about), _options(language, owner)]
    return "\n\n".join(parts) + "\n"


def _variables(language: str) -> str:
    head = Both("variable | meaning", "环境变量 | 含义")
    words = WORDS["environment"] if language == "zh" else VARIABLES
    return table(pick(language, head).split(" | "), [[code(name), words[name]] for name in VARIABLES])


def _options(language: str, owner: type) -> str:
    head = Both("option | type | default | meaning", "选项 | 类型 | 默认值 | 含义")
    rows = [
        [
            code(name),
            code(kind),
            code(default) if default else pick(language, Both("required", "必填")),
            pick(language, Both(*WORDS[where][name])),
        ]
        for where, name, kind, default in options(owner)
    ]
    return table(pick(language, head).split(" | "), rows)


def options(owner: type) -> Iterator[tuple[str, str, str, str]]:
    """Yield the class that names an option, its name, its type, and its default ('' if there is none)."""
    home = _home(owner)
    written = _annotations(home)
    for name, parameter in inspect.signature(owner).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            where = owner if name in WORDS[owner.__name__] else home
            yield where.__name__, name, _filled_in(owner, written[name]), _default(parameter)
    if owner is Api:
        for name, kind in _annotations(ApiOptions).items():
            default = {"timeout": repr(client.TIMEOUT), "on_request": "()", "on_response": "()", "pacing": "False"}.get(
                name, "None"
            )
            yield ApiOptions.__name__, name, kind, default


def _home(owner: type) -> type:
    """Return the class that has the signature: its own, or a base."""
    return next(each for each in owner.__mro__ if "__init__" in vars(each))


def _filled_in(owner: type, kind: str) -> str:
    """Return the type for which the variable `kind` of a generic base stands; any other as it is."""
    for base in getattr(owner, "__orig_bases__", ()):
        names = [each.__name__ for each in typing.get_origin(base).__parameters__]
        if kind in names:
            found = typing.get_args(base)[names.index(kind)]
            return found.__forward_arg__ if isinstance(found, typing.ForwardRef) else str(found.__name__)
    return kind


def _annotations(owner: type) -> dict[str, str]:
    """Return the types as they stand in the source: shorter than those that are resolved."""
    tree = ast.parse(inspect.getsource(owner)).body[0]
    assert isinstance(tree, ast.ClassDef)
    if is_dataclass(owner) or typing.is_typeddict(owner):
        found = [each for each in tree.body if isinstance(each, ast.AnnAssign)]
        return {ast.unparse(each.target): ast.unparse(each.annotation) for each in found}
    (init,) = (each for each in tree.body if isinstance(each, ast.FunctionDef) and each.name == "__init__")
    arguments = [*init.args.args, *init.args.kwonlyargs]
    return {each.arg: ast.unparse(each.annotation).strip("'") for each in arguments if each.annotation}


def _default(parameter: inspect.Parameter) -> str:
    default = parameter.default
    if default is inspect.Parameter.empty:
        return ""
    if callable(default):
        return f"time.{default.__name__}"
    if isinstance(default, int) and default >= 1024 * 1024:
        return f"{default // 1024 // 1024} * 1024 * 1024"
    return repr(default)
