"""Free ports: for servers that need a fixed one, and for addresses where no server answers; sockets of transports."""

import os
import random
import socket

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
SHARE = 300
FIRST = 20_000 + SHARE * (WORKER % 9)
PORTS = range(FIRST, FIRST + SHARE)  # of this worker alone: no other worker takes the port of a server that is down
BUS = 10_000
"""The nodes of a Redis Cluster talk to each other on their port and this."""


def free_port() -> int:
    """Return a port without a listener, neither on it nor on its bus.

    Both lie below 32 768, the first ephemeral port of Linux: no outgoing connection can take one before a server does,
    and a client that connects while no server listens cannot connect to itself.
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


def plain_socket(of_a_transport: socket.socket) -> socket.socket:
    """Return a second socket for the same connection, to be closed: event loops refuse most methods of their own."""
    return socket.fromfd(of_a_transport.fileno(), of_a_transport.family, of_a_transport.type)
