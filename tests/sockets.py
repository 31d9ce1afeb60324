"""Ports for servers that have to be told one, and for places where nobody is to answer."""

import os
import random
import socket

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SHARE = 300
FIRST = 20_000 + SHARE * (WORKER % 9)
PORTS = range(FIRST, FIRST + SHARE)  # of this worker alone: while a server is down, nobody else takes its port
BUS = 10_000
"""The nodes of a Redis Cluster talk to each other on their port and this."""


def free_port() -> int:
    """A port that nobody listens on, and nobody on its bus.

    Both lie below 32 768, where Linux begins to take ports for connections: one of those cannot have it before a server
    does, and whoever connects to it where nobody is does not meet himself.
    """
    while True:
        port = random.choice(PORTS)
        if _is_free(port) and _is_free(port + BUS):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
