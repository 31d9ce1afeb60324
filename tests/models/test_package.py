"""What `qqbot.models` offers, and the names that its modules had in 0.1."""

import importlib
import inspect
import pkgutil

import pytest

from qqbot import models

NOT_OFFERED = {"codec", "frames", "watermark"}
FROM_MSGSPEC = {"UNSET", "UnsetType"}

MODULES = [
    importlib.import_module(each.name)
    for each in pkgutil.walk_packages(models.__path__, "qqbot.models.")
    if each.name.removeprefix("qqbot.models.") not in NOT_OFFERED
]


def public_classes() -> dict[str, type]:
    found: dict[str, type] = {}
    for module in MODULES:
        listed: list[str] = getattr(module, "__all__", [name for name in vars(module) if not name.startswith("_")])
        for name in listed:
            value = getattr(module, name)
            if inspect.isclass(value) and value.__module__ == module.__name__:
                assert name not in found, f"two models are called {name}"
                found[name] = value
    return found


def test_every_public_class_of_the_modules_is_offered() -> None:
    classes = public_classes()
    assert set(models.__all__) - FROM_MSGSPEC == classes.keys()
    assert {name: getattr(models, name) for name in classes} == classes


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("forums", "Reply", "ForumReply"),
        ("messages", "MessageDelete", "MessageRecall"),
        ("subscriptions", "SubscribeMessageStatus", "SubscriptionResults"),
    ],
)
def test_a_name_of_0_1_still_works_and_warns(module: str, old: str, new: str) -> None:
    home = importlib.import_module(f"qqbot.models.{module}")
    with pytest.warns(DeprecationWarning, match=rf"{old} is called .*{new} now"):
        assert getattr(home, old) is getattr(home, new)
