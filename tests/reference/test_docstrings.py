"""Every public name has a docstring that says what it is, and what it raises; the site shows them."""

import ast
import builtins
import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator

import qqbot
from qqbot import Api, Bot, Context, Credentials, Router, errors
from qqbot.api.client import ON_DEMAND
from qqbot.api.resources.base import Resource

PACKAGES = ("qqbot", "qqbot.sessions", "qqbot.webhook", "qqbot.testing")
API = Api(Credentials("1", "s"))
RESOURCES = [
    type(value)
    for name in (*vars(API), *ON_DEMAND)
    if not name.startswith("_") and isinstance(value := getattr(API, name), Resource)
]


def public() -> Iterator[tuple[str, object]]:
    """Yield what users name: classes and functions of the public packages, and the methods of those classes."""
    classes: list[type] = [Bot, Router, Context, Api, *RESOURCES]
    for package in PACKAGES:
        module = importlib.import_module(package)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.isclass(value):
                classes.append(value)
            if inspect.isclass(value) or inspect.isfunction(value):
                yield f"{package}.{name}", value
    for kind in dict.fromkeys(classes):
        for name, value in inspect.getmembers_static(kind):
            function = function_of(value)
            if not name.startswith("_") and function is not None and function.__module__.startswith("qqbot"):
                yield f"{kind.__module__}.{kind.__qualname__}.{name}", function


def function_of(value: object) -> Callable[..., object] | None:
    """Return the function behind a member of a class; None if there is none."""
    if isinstance(value, property):
        value = value.fget
    elif isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return value if inspect.isfunction(value) else None


NAMES = dict(public())


def doc_of(value: object) -> str:
    """Return the docstring of a name itself, not that of a base class."""
    return inspect.cleandoc(getattr(value, "__doc__", None) or "")


def test_all_of_them_are_looked_at() -> None:
    assert {f"qqbot.{name}" for name in ("Bot", "Api", "command", "GroupMessageEvent")} <= set(NAMES)
    assert "qqbot.bot.context.Context.reply" in NAMES
    assert "qqbot.api.resources.groups.Groups.send_message" in NAMES
    assert "qqbot.bot.router.Router.include" in NAMES
    assert len(RESOURCES) == 28


def test_each_has_a_docstring_that_begins_with_one_sentence() -> None:
    firsts = {name: doc_of(value).partition("\n\n")[0].replace("\n", " ") for name, value in NAMES.items()}
    shape = re.compile(r"[\w`\"'@].*(\.|:|Source: .+|Raises: .+)$")
    assert {name: first for name, first in firsts.items() if not shape.match(first)} == {}


def exists(name: str) -> bool:
    return any(hasattr(place, name) for place in (errors, builtins, qqbot))


def named_by(doc: str) -> Iterator[str]:
    """Yield the errors that a docstring names: words of two humps after `Raises:`, and the first word."""
    for raises in re.findall(r"Raises: (.*?)(?=\n\n|Source:|$)", doc, re.DOTALL):
        yield from re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", raises)
        yield from re.findall(r"^[A-Z][a-z]+\b", raises)


def test_the_errors_that_they_name_exist() -> None:
    named = [(name, error) for name, value in NAMES.items() for error in named_by(doc_of(value))]
    assert len(named) > 300
    assert [(name, error) for name, error in named if not exists(error)] == []


def raised_by(function: object) -> set[str]:
    """Return the classes that a function raises in its own body."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body  # type: ignore[arg-type]
    assert isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef)
    found: set[str] = set()
    left: list[ast.AST] = list(tree.body)
    while left:
        node = left.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            found.add(ast.unparse(node.exc.func))
        left.extend(ast.iter_child_nodes(node))
    return {name for name in found if exists(name)}


def code_of(value: object) -> list[object]:
    """Return the functions that run when a name is called: of a class, those that make an object."""
    if not inspect.isclass(value):
        return [value]
    if getattr(value, "_is_protocol", False):
        return []
    own = [vars(value).get(name) for name in ("__init__", "__post_init__")]
    return [
        each
        for each in own
        if inspect.isfunction(each) and "<" not in each.__code__.co_filename  # not one that a dataclass made
    ]


def test_they_name_the_errors_that_they_raise() -> None:
    left_out: dict[str, set[str]] = {}
    for name, value in NAMES.items():
        functions = code_of(value)
        words = {word for each in (value, *functions) for word in re.findall(r"\w+", doc_of(each))}
        if missing := {error for function in functions for error in raised_by(function)} - words:
            left_out[name] = missing
    assert left_out == {}


def test_they_name_the_unit_of_times() -> None:
    """A resource has it once, for the `timeout` of every method."""
    without: list[str] = []
    for name, value in NAMES.items():
        if not inspect.isfunction(value) or value.__module__.startswith("qqbot.api.resources"):
            continue
        timed = {"timeout", "quiet", "seconds", "drain", "ttl"} & set(inspect.signature(value).parameters)
        if timed and "second" not in doc_of(value):
            without.append(name)
    assert without == []
    assert "seconds" in doc_of(Resource)
