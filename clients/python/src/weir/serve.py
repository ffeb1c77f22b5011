"""The module functions of Ray Serve 1.0.

    from weir import serve

    client = serve.start()
"""

from __future__ import annotations

import atexit
import warnings
from typing import Any, Optional, Sequence

from weir.client import Client
from weir.client import connect as _connect
from weir.config import BackendConfig, accept_batch

__all__ = ["BackendConfig", "Client", "accept_batch", "connect", "start"]


def connect() -> Client:
    """Connects to the Weir at $WEIR_ADMIN, by default 127.0.0.1:8001."""
    return _connect()


def start(
    detached: bool = False, http_host: Optional[str] = None, http_port: Optional[int] = None,
    http_middlewares: Sequence[Any] = (),
) -> Client:
    """Connects to the Weir at $WEIR_ADMIN, which runs independently of the program.

    With `detached`, the end of the program deletes nothing. Weir cannot serve classes of a program
    that has ended: use import paths. Warns if Weir does not serve HTTP at the given host and port,
    and about middlewares, which it does not have.
    """
    client = _connect()
    host, _, port = client.data_address.rpartition(":")
    own = (http_host in (None, host, "127.0.0.1", "0.0.0.0", "localhost")
           and http_port in (None, int(port)))
    if not own:
        warnings.warn(
            f"Weir serves HTTP at {client.data_address}, not at {http_host or host}:"
            f"{http_port or port}: start it with `weir serve --data HOST:PORT`", stacklevel=2)
    if http_middlewares:
        warnings.warn("Weir ignores http_middlewares", stacklevel=2)
    if detached:
        client._is_detached = True
        atexit.unregister(client.close)
    return client
