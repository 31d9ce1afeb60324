"""The command line, `qqbot`: run a bot, try it on the simulator, make one call, explain a code.

Responsible for the list of commands and for the exit codes: 0 ok, 1 a call failed, 2 usage, 3 configuration,
4 credentials refused, 5 the platform forbids to continue. Collaborators: one module for each command, which has its
options and texts; `bot.program` maps errors to exit codes.
"""

import argparse
import sys
from collections.abc import Sequence

from ..bot.program import exit_code
from . import call, explain, new, run, shards, simulate, version, webhook


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code.

    `argv`: the arguments after the name of the program; None for those of this process.

    Raises: SystemExit for wrong usage (2), for `--help` (0), and if a bot ended.
    """
    arguments = _parser().parse_args(argv)
    _escape_what_stdout_cannot_encode()
    return exit_code(lambda: arguments.command(arguments))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="qqbot",
        description="Run QQ bots, and try them on a local simulator of the platform. 运行和试用 QQ 机器人",
        epilog="Exit codes: 0 ok, 1 a call failed, 2 usage, 3 configuration, 4 credentials refused, "
        "5 the platform forbids to continue.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run.define(commands.add_parser("run", help=run.HELP))
    simulate.define(commands.add_parser("simulate", help=simulate.HELP))
    new.define(commands.add_parser("new", help=new.HELP))
    call.define(commands.add_parser("call", help=call.HELP))
    webhook.define(commands.add_parser("webhook", help=webhook.HELP))
    explain.define(commands.add_parser("explain", help=explain.HELP))
    shards.define(commands.add_parser("shards", help=shards.HELP))
    version.define(commands.add_parser("version", help=version.HELP))
    return parser


def _escape_what_stdout_cannot_encode() -> None:
    """Escape Chinese text if the terminal cannot encode it, so that the command does not fail."""
    reconfigure = getattr(sys.stdout, "reconfigure", None)  # a replaced stdout may lack it
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")
