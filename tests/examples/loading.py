"""Loads an example as `qqbot run` does."""

import sys
from pathlib import Path
from types import ModuleType

from qqbot.cli.loading import MODULE_NAME, load_bot

EXAMPLES = Path(__file__).parents[2] / "examples"


def example_module(name: str) -> ModuleType:
    """Load an example and return its names."""
    load_bot(str(EXAMPLES / name))
    return sys.modules[MODULE_NAME]
