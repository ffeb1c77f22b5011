"""The lease of this program on the backends that it serves.

A thread holds the stream `HoldLeases` open. When the program ends in any way, the stream ends, and
Weir marks the backends gone.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
import threading
import time
from typing import Any, Callable, List, Optional, Set

import grpc

from weir import _operations as operations
from weir import errors
from weir._channels import Door
from weir.admin.v1 import admin_pb2 as pb

log = logging.getLogger("weir")

# Seconds between attempts to hold the lease again.
_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 2.0

_SETTLE_SECONDS = 0.05

# Seconds between two checks of `serve_forever`.
CHECK_SECONDS = 5.0

_REFUSALS = (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)

# Finds a server that has disappeared without closing its connection.
_KEEPALIVE = (
    ("grpc.keepalive_time_ms", 20_000), ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1), ("grpc.http2.max_pings_without_data", 0),
    # A stopped server is connected to again within the grace time.
    ("grpc.initial_reconnect_backoff_ms", 100), ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
)


def program_name() -> str:
    """The name of this program, the same at its next start: $WEIR_PROGRAM or the script's path."""
    given = os.environ.get("WEIR_PROGRAM")
    if given:
        return given
    script = sys.argv[0] if sys.argv else ""
    # `python -c` and the interpreter have no path.
    return os.path.abspath(script) if script not in ("", "-c", "-m") else os.getcwd()


class Lease:
    """Holds the lease of one client until `release`."""

    def __init__(self, door: Door, program: str) -> None:
        self.message = pb.Lease(program=program, session=secrets.token_hex(16))
        self._channel = door._replace(options=door.options + _KEEPALIVE).channel()
        self._changed = threading.Condition()
        # None until the first answer; False if the server has no leases.
        self._is_held: Optional[bool] = None
        self._is_supported = True
        self._was_lost = False
        self._is_released = False
        # Why the server does not permit leases. The client that asked learns it from `wait`.
        self._refusal: Optional[errors.WeirError] = None
        self._call: Any = None
        threading.Thread(target=self._run, name="weir-lease", daemon=True).start()

    @property
    def is_supported(self) -> bool:
        """Whether the server has leases, as far as is known."""
        return self._is_supported

    def wait(self, seconds: float) -> None:
        """Waits at most some seconds until the server has the lease, or does not support leases.

        Raises the error of a server that does not permit it.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self._is_held or not self._is_supported or self._is_released
                or self._refusal is not None, seconds)
            if self._refusal is not None:
                raise self._refusal

    def _run(self) -> None:
        pause = _FIRST_PAUSE
        while not self._is_released:
            try:
                call = self._channel.unary_stream(
                    operations.SERVICE + "HoldLeases",
                    request_serializer=pb.HoldLeasesRequest.SerializeToString,
                    response_deserializer=pb.HoldLeasesResponse.FromString,
                )(pb.HoldLeasesRequest(session=self.message.session))
                with self._changed:
                    self._call = call
                for _ in call:
                    pause = _FIRST_PAUSE
                    self._set_held(True)
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    log.info("the server does not support leases")
                    self._end()
                    return
                if error.code() in _REFUSALS:
                    log.error("the server does not permit a lease: %s", error.details())
                    with self._changed:
                        self._is_held, self._refusal = False, errors.from_rpc(error)
                        self._changed.notify_all()
                    return
            except ValueError:
                # The channel is closed.
                return
            self._set_held(False)
            with self._changed:
                self._changed.wait_for(lambda: self._is_released, pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _set_held(self, is_held: bool) -> None:
        with self._changed:
            if self._is_held and not is_held and not self._is_released:
                self._was_lost = True
                log.warning(
                    "the connection to Weir was lost; without it, Weir soon marks the backends of "
                    "this program gone")
            elif is_held and self._was_lost:
                self._was_lost = False
                log.warning("the connection to Weir is back")
            self._is_held = is_held
            self._changed.notify_all()

    def _end(self) -> None:
        with self._changed:
            self._is_supported = False
            self._changed.notify_all()

    def release(self, *, is_gone: bool) -> None:
        """Ends the lease. With `is_gone`, Weir marks its backends gone at once."""
        with self._changed:
            self._is_released = True
            self._changed.notify_all()
        if is_gone and self._is_supported:
            try:
                self._channel.unary_unary(
                    operations.SERVICE + "ReleaseLeases",
                    request_serializer=pb.ReleaseLeasesRequest.SerializeToString,
                    response_deserializer=pb.ReleaseLeasesResponse.FromString,
                )(pb.ReleaseLeasesRequest(session=self.message.session), timeout=2)
                # Requests that Weir has already sent arrive before the replicas stop.
                time.sleep(_SETTLE_SECONDS)
            except grpc.RpcError as error:
                log.info("could not release the lease: %s", error.code().name)
        if self._call is not None:
            self._call.cancel()
        self._channel.close()


class ServedCheck:
    """Finds the backends of a program that Weir no longer has.

    An operator deleted them, another program took them over, or Weir lost its state.
    """

    def __init__(self) -> None:
        self._missing: Set[str] = set()

    def check(self, lease: Lease, names: List[str], get: Callable[[str], pb.Backend]) -> None:
        """Logs each backend once that Weir no longer has. Raises NotFound if it has none."""
        missing = set()
        for name in names:
            try:
                if get(name).lease.session != lease.message.session:
                    missing.add(name)
            except errors.NotFound:
                missing.add(name)
            except errors.WeirError:
                # The lease logs that the server cannot be reached.
                return
        for name in sorted(missing - self._missing):
            log.warning(
                "Weir no longer sends the requests of backend '%s' to this program: it was deleted "
                "or replaced, or Weir lost its state", name)
        self._missing = missing
        if missing and len(missing) == len(names):
            raise errors.NotFound(
                "Weir no longer has the backends of this program: "
                f"{', '.join(sorted(missing))}; start the program again to serve them")
