"""Server processes that stop answering, with every connection left open."""

import os
import signal
import subprocess


def freeze(process: subprocess.Popen[bytes] | None) -> None:
    """Stop a process; return when it has stopped: on a busy machine it might answer one more request."""
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)


def thaw(process: subprocess.Popen[bytes] | None) -> None:
    """Let a process go on."""
    assert process is not None
    process.send_signal(signal.SIGCONT)
