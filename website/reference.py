"""The pages of the reference: each public name of the package, by its docstring.

Responsible for which name stands on which page. Collaborators: the `__all__` of `qqbot` and of its public packages;
mkdocstrings, which reads the docstrings from the sources. It writes no prose.
"""

import importlib
from collections.abc import Iterator

import qqbot
from qqbot.api.client import ON_DEMAND
from qqbot.api.resources.base import Resource

TOPICS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "bot": ("Bot, context, handlers", "机器人、上下文与处理函数", ()),
    "client": ("The API client", "接口客户端", ("api",)),
    "messages": ("Messages, text, models", "消息、文本与模型", ("models",)),
    "events": ("Events", "事件", ("models.events",)),
    "errors": ("Errors", "错误", ("errors",)),
    "configuration": ("Configuration", "配置", ("config",)),
}
"""The pages for the names of `qqbot`: the titles, and the packages that define the names; "bot" has the rest."""

PACKAGES = {
    "sessions": ("qqbot.sessions", "Session managers", "会话管理器"),
    "webhook": ("qqbot.webhook", "Webhooks", "Webhook"),
    "testing": ("qqbot.testing", "The test kit", "测试工具"),
}
"""Public packages with names of their own."""

ALIASES = {"Outgoing": "qqbot.models"}
"""The packages of names that stand for no class, so that they carry no package of ours."""


def topic_of(name: str) -> str:
    """Return the page of a name of `qqbot`: that of the longest matching package, else that of the bot."""
    module = f"{ALIASES.get(name) or getattr(qqbot, name).__module__}.".removeprefix("qqbot.")
    found = [
        (len(package), topic)
        for topic, (_, _, packages) in TOPICS.items()
        for package in packages
        if module.startswith(f"{package}.")
    ]
    return max(found, default=(0, "bot"))[1]


def names() -> dict[str, list[str]]:
    """Return the dotted names on each page, in the order of the alphabet."""
    found: dict[str, list[str]] = {topic: [] for topic in TOPICS}
    for name in public("qqbot"):
        found[topic_of(name)].append(f"qqbot.{name}")
    for page, (package, _, _) in PACKAGES.items():
        found[page] = [f"{package}.{name}" for name in public(package)]
    found["resources"] = [f"{each.__module__}.{each.__qualname__}" for each in resources()]
    return found


def public(package: str) -> list[str]:
    """Return the public names of a package, in the order of the alphabet."""
    names: list[str] = importlib.import_module(package).__all__
    return sorted(set(names) - {"__version__"}, key=str.lower)


def resources() -> list[type[Resource]]:
    """Return the class of each resource of `Api`, in the order of the alphabet."""
    api = qqbot.Api(qqbot.Credentials("1", "none"))
    attributes = {*vars(api), *ON_DEMAND}
    values = [getattr(api, name) for name in sorted(attributes) if not name.startswith("_")]
    return [type(value) for value in values if isinstance(value, Resource)]


def pages() -> Iterator[tuple[str, dict[str, str], str]]:
    """Yield name, titles and text of each page; the text has no title."""
    titles = {
        **{topic: (english, chinese) for topic, (english, chinese, _) in TOPICS.items()},
        **{page: (english, chinese) for page, (_, english, chinese) in PACKAGES.items()},
        "resources": ("Resources of the client", "接口方法"),
    }
    for page, listed in names().items():
        english, chinese = titles[page]
        yield page, {"en": english, "zh": chinese}, "\n\n".join(f"::: {name}" for name in listed) + "\n"
