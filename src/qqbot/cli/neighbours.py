"""Other processes of this machine that are connected to the gateway.

Responsible for finding them as Linux shows them in /proc, and for their settings, without secrets; elsewhere there are
none to be seen. Collaborators: `examination` judges whether one runs the same bot. It sends nothing.
"""

import contextlib
import ipaddress
import os
import sys
from collections.abc import Collection, Iterator
from pathlib import Path

from msgspec import Struct

PROC = Path("/proc")
ESTABLISHED = "01"
SHOWN_WORDS = 3  # of a command line: what follows may be secret
STORE_SETTINGS = ("QQBOT_REDIS_URL", "QQBOT_ETCD_URL", "QQBOT_CLUSTER")
SETTINGS = ("QQBOT_APP_ID", *STORE_SETTINGS, "QQBOT_SHARDS")

Address = tuple[str, int]
"""An IP address and a port."""


class Neighbour(Struct, frozen=True):
    """A process: its number, the first words of its command line, and its `SETTINGS` as it was started with them."""

    pid: int
    command: str
    settings: dict[str, str]

    def __repr__(self) -> str:
        return f"Neighbour({self.pid}, {self.command!r})"  # the URL of the store may hold a password


def can_look() -> bool:
    """True if this system shows its connections and processes."""
    return sys.platform == "linux" and (PROC / "net" / "tcp").is_file()


def connected_to(addresses: Collection[Address]) -> list[Neighbour]:
    """Return the other processes that have a connection to one of `addresses`, as far as this user may see them."""
    wanted = {form for address in addresses for form in _written(*address)}
    inodes = {f"socket:[{inode}]" for remote, inode in _connections() if remote in wanted}
    if not inodes:
        return []
    return [_neighbour(pid) for pid in _pids() if pid != os.getpid() and _holds(pid, inodes)]


def _written(host: str, port: int) -> Iterator[str]:
    """Yield how the tables of the kernel write an address: words in the byte order of the machine."""
    address = ipaddress.ip_address(host.partition("%")[0])
    packed = [address.packed]
    if address.version == 4:
        packed.append(ipaddress.IPv6Address(f"::ffff:{address}").packed)  # a socket of IPv6 may be connected to it
    for octets in packed:
        words = (octets[at : at + 4] for at in range(0, len(octets), 4))
        yield "".join(f"{int.from_bytes(word, sys.byteorder):08X}" for word in words) + f":{port:04X}"


def _connections() -> Iterator[tuple[str, str]]:
    """Yield the other end and the inode of each established connection."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError):
            for line in (PROC / "net" / table).read_text().splitlines()[1:]:
                columns = line.split()
                if columns[3] == ESTABLISHED:
                    yield columns[2], columns[9]


def _pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdecimal()]


def _holds(pid: int, inodes: Collection[str]) -> bool:
    with contextlib.suppress(OSError):  # it has ended, or belongs to another user
        for entry in (PROC / str(pid) / "fd").iterdir():
            with contextlib.suppress(OSError):
                if str(entry.readlink()) in inodes:
                    return True
    return False


def _neighbour(pid: int) -> Neighbour:
    words = _strings(pid, "cmdline")
    variables = (each.partition("=") for each in _strings(pid, "environ"))
    settings = {name: value for name, _, value in variables if name in SETTINGS}
    return Neighbour(pid, " ".join(words[:SHOWN_WORDS]), settings)


def _strings(pid: int, name: str) -> list[str]:
    try:
        content = (PROC / str(pid) / name).read_bytes()
    except OSError:
        return []
    return [each for each in content.decode("utf-8", "replace").split("\0") if each]
