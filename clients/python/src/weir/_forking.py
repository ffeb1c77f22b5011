"""Forked children of a program that uses a client.

grpcio does not work in a child of a process that uses it. A child inherits the sockets, so that a
port of its parent would accept connections, which get no response, and Weir would not see the end
of the parent as long as the child lives.
"""

from __future__ import annotations

import os
import socket
from typing import Set, Tuple

from weir.errors import ClientClosed

# The ports at which this process serves, and the IP addresses and ports of servers.
_ports: Set[int] = set()
_peers: Set[Tuple[str, int]] = set()

# The prefix of an IPv4 address as an IPv6 address.
_MAPPED = "::ffff:"

_is_forked = False


def check() -> None:
    """Raises ClientClosed in a forked child of a process that used a client."""
    if _is_forked:
        raise ClientClosed(
            "this process was forked from one that uses a client, where grpcio does not work: "
            "start it with the method 'spawn' of multiprocessing, or fork before weir.connect()")


def serves(address: str) -> None:
    """A replica of this process listens on an address."""
    _ports.add(_port(address))


def stops(address: str) -> None:
    """A replica of this process has stopped."""
    _ports.discard(_port(address))


def connects_to(address: str) -> None:
    """A client of this process connects to a server."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        found = socket.getaddrinfo(host, _port(address), type=socket.SOCK_STREAM)
    except OSError:
        return
    _peers.update((str(name[0]), int(name[1])) for *_, name in found)


def _port(address: str) -> int:
    return int(address.rpartition(":")[2])


def _leave_sockets() -> None:
    """Closes a child's copies of the sockets of its parent's servers and clients."""
    global _is_forked
    if not _ports and not _peers:
        return
    _is_forked = True
    try:
        descriptors = [int(name) for name in os.listdir("/proc/self/fd")]
        null = os.open(os.devnull, os.O_RDWR)
    except OSError:
        return
    for descriptor in descriptors:
        if _is_ours(descriptor):
            # Keeps the number in use: grpcio's objects may still close it.
            os.dup2(null, descriptor)
    os.close(null)


def _is_ours(descriptor: int) -> bool:
    try:
        with socket.socket(fileno=os.dup(descriptor)) as copy:
            if copy.family not in (socket.AF_INET, socket.AF_INET6):
                return False
            if copy.getsockname()[1] in _ports:
                return True
            host, port = copy.getpeername()[:2]
            # grpcio connects to IPv4 addresses with sockets of IPv6.
            return (host[len(_MAPPED):] if host.startswith(_MAPPED) else host, port) in _peers
    except OSError:
        return False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_sockets)
