"""`qqbot doctor`: find out why a bot cannot connect, and say what to do about it.

Responsible for the arguments, for what is examined, and for the output. Collaborators: `examination` makes the checks,
`findings` has their order.
"""

import argparse
import logging
import os
import sys
from typing import TYPE_CHECKING

from ..bot.program import EXIT_OK, configure_logging, exit_in_time, run_loop
from ..config import ClusterConfig, Credentials, Endpoints, ShardSelection, unknown_variables
from ..errors import ConfigError
from . import env_file
from .findings import CHECKS
from .loading import bot_path, load_bot
from .neighbours import SETTINGS
from .terminal import EXIT_FAILED, show, show_json

if TYPE_CHECKING:
    from .examination import Patient
    from .findings import Findings

HELP = "check network, credentials, intents, Redis or etcd, and say what to do"
MARKS = {"fault": "FAULT  ", "warning": "warning", "ok": "ok     ", "skipped": "-      "}


def define(parser: argparse.ArgumentParser) -> None:
    """Describe the command and its arguments."""
    parser.description = (
        "Check what a bot needs, in the order in which it needs it. Faults come first, and the first one may explain "
        "the others. It creates no session, unless --identify is given. 诊断：先列出故障及处理办法"
    )
    parser.formatter_class = argparse.RawDescriptionHelpFormatter  # keeps the lines of the epilog
    checks = "\n".join(f"  {name:14}{meaning}" for name, meaning in CHECKS.items())
    parser.epilog = (
        f"checks 检查项:\n{checks}\n{env_file.HELP}, or beside FILE.\n"
        "Exit codes: 0 no fault, 1 a fault was found, 2 usage, 3 FILE or a setting cannot be used."
    )
    parser.add_argument(
        "file", metavar="FILE[:bot]", nargs="?", help="the bot: its handlers need intents, its options are used"
    )
    parser.add_argument(
        "--identify",
        action="store_true",
        help="try the intents, which costs one session of the daily budget; not if another process runs the bot",
    )
    parser.add_argument("--json", action="store_true", help="as JSON, one document")
    parser.set_defaults(command=_doctor)


def _doctor(arguments: argparse.Namespace) -> None:
    if os.environ.get("QQBOT_LOG"):
        configure_logging()
    else:
        logging.getLogger("qqbot").addHandler(logging.NullHandler())  # the findings have it all in one line each
    from .examination import examine

    env_file.read_env_file(None if arguments.file is None else bot_path(arguments.file))
    findings = run_loop(examine(_patient(arguments.file), identifies=arguments.identify))
    if arguments.json:
        show_json(_document(findings), indent=2)
    else:
        _show(findings)
    code = EXIT_FAILED if _faults(findings) else EXIT_OK
    exit_in_time(code)  # a look-up that hangs holds a thread
    sys.exit(code)


def _patient(target: str | None) -> "Patient":
    """Return what is examined.  Raises: ConfigError for a file or a setting that cannot be used."""
    from ..sessions.cluster.manager import EtcdSessionManager, RedisSessionManager, manager_of
    from .examination import Patient

    runtime = None if target is None else load_bot(target).__simulated__()
    settings = None if runtime is None else runtime.settings
    credentials, problem = (None, "") if settings is None else (settings.credentials, "")
    if credentials is None:
        try:
            credentials = Credentials.from_env()
        except ConfigError as error:
            problem = str(error)
    config = ClusterConfig.from_env()
    sessions = settings and settings.sessions
    if sessions is None and config is not None:
        sessions = manager_of(config)
    doubts = unknown_variables()
    return Patient(
        credentials=credentials,
        problem=problem,
        endpoints=(settings and settings.endpoints) or Endpoints.from_env(),
        selection=(settings and settings.shards) or ShardSelection.parse(os.environ.get("QQBOT_SHARDS")),
        options={} if settings is None else settings.api,
        settings={name: os.environ[name] for name in SETTINGS if name in os.environ},
        sessions=sessions if isinstance(sessions, RedisSessionManager | EtcdSessionManager) else None,
        intents=None if runtime is None else runtime.intents,
        askers=(lambda _: []) if runtime is None else runtime.handlers.handlers_for,
        doubts=doubts if runtime is None else [*doubts, *runtime.handlers.doubts()],
    )


def _faults(findings: "Findings") -> int:
    return sum(each.status == "fault" for each in findings.ranked())


def _show(findings: "Findings") -> None:
    for each in findings.ranked():
        hint = f" -> {each.hint}" if each.hint is not None else ""
        show(f"{MARKS[each.status]} {each.check}: {each.text}{hint}")
    faults = _faults(findings)
    show(f"{faults} fault{'s' * (faults > 1)}. 发现 {faults} 个故障" if faults else "No fault. 没有发现故障")


def _document(findings: "Findings") -> dict[str, object]:
    ranked = findings.ranked()
    return {
        "ok": not _faults(findings),
        "first": next((each.check for each in ranked if each.status == "fault"), None),
        "findings": [
            {
                "check": each.check,
                "status": each.status,
                "text": each.text,
                "zh": each.hint and each.hint.zh,
                "en": each.hint and each.hint.en,
            }
            for each in ranked
        ],
    }
