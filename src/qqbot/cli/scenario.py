"""`qqbot simulate --scenario`: play scenarios with a bot, and print which expectations were met.

Responsible for the format of the report. Collaborators: `simulator.scenarios` defines and plays the scenarios.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..bot.bot import Bot
from ..bot.program import configure_logging, run_loop
from ..config import GatewayConfig
from ..errors import ConfigError
from .loading import bot_path, load_bot
from .reloading import Sources
from .serving import ConfiguredBot, WebhookServedBot
from .terminal import CommandFailed, show, show_json

if TYPE_CHECKING:
    from ..simulator.scenarios import Finding, Scenario

Maker = Callable[[], Bot]


def play(arguments: argparse.Namespace) -> None:
    """Play the chosen scenarios.  Raises: SystemExit (1) if an expectation was not met; ConfigError."""
    from ..simulator.scenarios import SCENARIOS

    if arguments.scenario == "list":
        show("\n".join(f"{each.name}: {each.story}" for each in SCENARIOS.values()))
        return
    if arguments.no_bot:
        raise ConfigError("--scenario plays with a bot: leave --no-bot out. 场景需要机器人")
    chosen = list(SCENARIOS.values()) if arguments.scenario == "all" else [SCENARIOS.get(arguments.scenario)]
    scenarios = [each for each in chosen if each is not None]
    if not scenarios:
        raise CommandFailed(f"there is no scenario {arguments.scenario}; known are {', '.join(SCENARIOS)}", code=2)
    make = _maker(arguments.file)
    make()  # a broken file fails before anything is played
    configure_logging()
    right = [_play_one(each, make, as_json=arguments.json) for each in scenarios]
    if not all(right):
        sys.exit(1)


def _maker(target: str | None) -> Maker:
    """Return a factory of bots: each is a new one, as in another process."""
    if target is None:
        from . import demo

        return lambda: importlib.reload(demo).bot
    sources = Sources(bot_path(target))

    def make() -> Bot:
        sources.forget()
        return load_bot(target)

    return make


def _served(bot: Bot, scenario: "Scenario") -> ConfiguredBot | WebhookServedBot:
    """Return the bot, served as the scenario requires."""
    if scenario.by_webhook:
        return WebhookServedBot(bot)
    if (renewal := scenario.renewal) is None:
        return ConfiguredBot(bot)
    return ConfiguredBot(bot, gateway=GatewayConfig(renew_after=renewal, renew_silence=renewal))


def _play_one(scenario: "Scenario", make: Maker, *, as_json: bool) -> bool:
    from ..simulator.scenarios import perform

    start = time.monotonic()
    findings = run_loop(perform(scenario, lambda: _served(make(), scenario)))
    seconds = time.monotonic() - start
    if as_json:
        show_json(_document(scenario, findings, seconds))
    else:
        show(_as_text(scenario, findings, seconds))
    return all(finding.right for finding in findings)


def _document(scenario: "Scenario", findings: "list[Finding]", seconds: float) -> dict[str, object]:
    rows = [{"what": each.what, "right": each.right, "seen": each.seen} for each in findings]
    return {"scenario": scenario.name, "seconds": round(seconds, 1), "source": scenario.source, "findings": rows}


def _as_text(scenario: "Scenario", findings: "list[Finding]", seconds: float) -> str:
    lines = [
        f"{scenario.name} ({seconds:.1f} s)",
        f"  {scenario.story}",
        f"  Right: {scenario.right}",
        f"  Seen by: {scenario.source}",
        *(f"  {_mark(each)} {each.what}{f' ({each.seen})' if each.seen else ''}" for each in findings),
    ]
    return "\n".join(lines) + "\n"


def _mark(finding: "Finding") -> str:
    return "ok   " if finding.right else "WRONG"
