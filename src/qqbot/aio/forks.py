"""What was opened in one process, and is used in its child after a fork.

Responsible for the error. Collaborators: all that holds connections or leases asks here.
It does not open anything again.
"""

import os

from ..errors import ConfigError


def check_process(pid: int, what: str) -> None:
    """Check that `what` was opened in this process.  Raises: ConfigError."""
    if os.getpid() != pid:
        raise ConfigError(
            f"{what} belongs to process {pid}, this is its child {os.getpid()}: open it again in each process, after "
            "the fork. 不能在 fork 出的子进程中使用父进程打开的对象，请在子进程中重新创建"
        )
