"""Free ports for servers that must know their port before they listen."""

import contextlib
import itertools
import os
import pathlib
import random
import socket


def _ports():
    """Ports below those that the kernel gives to connections: a connection could take one between
    its choice and its use. Parallel workers of pytest have separate ones."""
    kernel = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    ports = range(10_000 + worker % 16, int(kernel[0]), 16)
    start = random.randrange(len(ports))
    return itertools.cycle([*ports[start:], *ports[:start]])


_PORTS = _ports()


def free_port():
    """A port of loopback on which nothing listens."""
    for port in _PORTS:
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port
