"""The bot process that is killed: `python -m tests.chaos.program STATE RECORD SEED [MUTATION]`.

Credentials and addresses come from the environment. It ends with who started it: when its standard input is closed.
"""

import os
import sys
import threading
from pathlib import Path

from qqbot.sessions.local import LocalSessionManager

from .bots import CONFIG, make_bot
from .mutations import mutated
from .record import into_file


def main() -> None:
    """Serve until SIGTERM, with a session that outlives the process."""
    state, record, seed, *mutation = sys.argv[1:]
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sessions = LocalSessionManager(state=state, window=CONFIG.identify_window)
    bot = make_bot(into_file(Path(record)), seed=int(seed), sessions=sessions)
    with mutated(mutation[0] if mutation else None):
        bot.run()


def _end_with_parent() -> None:
    sys.stdin.read()
    os._exit(3)


if __name__ == "__main__":
    main()
