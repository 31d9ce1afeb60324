"""The command line, `qqbot`: run a bot, try it on the simulator, make one call, explain a code, migrate from botpy.

Responsible for the list of commands and for the exit codes: 0 ok, 1 a call or the output failed, 2 usage,
3 configuration, 4 credentials refused, 5 the platform forbids to continue, 130 interrupted. Collaborators: one module
for each command, which has its options and texts; `bot.program` maps errors to exit codes, `terminal` prints.
"""

import argparse
from collections.abc import Sequence
from typing import NoReturn

from .._visible import visible
from ..bot.program import exit_code, exit_in_time
from . import (
    call,
    doctor,
    explain,
    intake,
    login,
    migrate,
    new,
    run,
    shards,
    simulate,
    terminal,
    version,
    webhook,
    work,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the process's exit code.

    `argv`: the arguments after the name of the program; None for those of this process.

    Raises: SystemExit for wrong usage (2), for `--help` (0), and if a bot ended.
    """
    terminal.prepare()
    try:
        code = exit_code(lambda: _run(argv))
    except SystemExit as ended:
        if terminal.finish() or ended.code:
            raise
        return terminal.EXIT_FAILED
    if not terminal.finish():
        code = code or terminal.EXIT_FAILED
    exit_in_time(code)  # a thread of the bot, or a look-up that hangs, may go on
    return code


def _run(argv: Sequence[str] | None) -> None:
    arguments = _parser().parse_args(argv)
    try:
        arguments.command(arguments)
    except terminal.CommandFailed as error:
        terminal.tell(f"qqbot: {error}")
        raise SystemExit(error.code) from None


class _Parser(argparse.ArgumentParser):
    """Its errors quote arguments, which may come from elsewhere: they are escaped."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="qqbot",
        description="Run QQ bots, and try them on a local simulator of the platform. 运行和试用 QQ 机器人",
        epilog="Exit codes: 0 ok, 1 a call or the output failed, 2 usage, 3 configuration, 4 credentials refused, "
        "5 the platform forbids to continue, 130 interrupted.",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    run.define(commands.add_parser("run", help=run.HELP))
    intake.define(commands.add_parser("intake", help=intake.HELP))
    work.define(commands.add_parser("work", help=work.HELP))
    simulate.define(commands.add_parser("simulate", help=simulate.HELP))
    new.define(commands.add_parser("new", help=new.HELP))
    login.define(commands.add_parser("login", help=login.HELP))
    doctor.define(commands.add_parser("doctor", help=doctor.HELP))
    call.define(commands.add_parser("call", help=call.HELP))
    webhook.define(commands.add_parser("webhook", help=webhook.HELP))
    explain.define(commands.add_parser("explain", help=explain.HELP))
    shards.define(commands.add_parser("shards", help=shards.HELP))
    migrate.define(commands.add_parser("migrate", help=migrate.HELP))
    version.define(commands.add_parser("version", help=version.HELP))
    return parser
