"""The page on upgrading names each alias, and each alias works and warns."""

import importlib
import re
from pathlib import Path

import pytest

from qqbot.models import forums, messages, subscriptions
from tests.markdown import ROOT

ALIASES = dict(
    re.findall(r"^\| `([\w.]+)` \| `([\w.]+)` \|$", (ROOT / "docs" / "upgrading.md").read_text("utf-8"), re.MULTILINE)
)
PACKAGES = (
    "qqbot.sessions",
    "qqbot.webhook",
    "qqbot.testing",
    forums.__name__,
    messages.__name__,
    subscriptions.__name__,
)


def value(dotted: str) -> object:
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.mark.parametrize("old", ALIASES)
def test_an_alias_is_the_new_name_and_warns(old: str) -> None:
    with pytest.warns(DeprecationWarning, match="1.0"):
        assert value(old) is value(ALIASES[old])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_alias_is_on_the_page(package: str) -> None:
    module = importlib.import_module(package)
    (renamed,) = re.findall(r"renamed=\{(.*?)\}", Path(module.__file__ or "").read_text("utf-8"), re.DOTALL)
    names = dict(re.findall(r'"(\w+)": "(\w+)"', renamed))
    assert names
    assert {f"{package}.{old}": f"{package}.{new}" for old, new in names.items()}.items() <= ALIASES.items()
