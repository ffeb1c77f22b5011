"""Replicas as processes: each runs one instance of a class, and is started again when it ends.

    create_backend("model", Model, replicas=3, processes=True)

The program starts `python -m weir.replica_process` with the pickled code on its standard input,
which it keeps open: when the program ends in any way, so do its replicas.
"""

from __future__ import annotations

import json
import logging
import pickle
import selectors
import struct
import subprocess
import sys
import threading
import time
from typing import Dict, Optional

from weir import errors
from weir.config import BackendConfig
from weir.replica import Definition

log = logging.getLogger("weir")

# Seconds before a replica that has ended is started again; they double until it is ready.
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 10.0

# The length before each part of the input of a process.
LENGTH = struct.Struct("!Q")


class StartError(RuntimeError):
    """A replica could not be started; the message is that of its exception."""


def pickled(definition: Definition) -> bytes:
    """The code of a backend for another process. Raises TypeError if it cannot be pickled."""
    try:
        import cloudpickle as pickler
    except ImportError:
        pickler = pickle
        main = getattr(definition.target, "__module__", None) == "__main__"
        if main or "<" in getattr(definition.target, "__qualname__", ""):
            raise TypeError(
                "processes=True for code of a notebook or script requires cloudpickle: pip install "
                "cloudpickle, or put the code into a module") from None
    content = (definition.target, definition.init_args, dict(definition.config),
               definition.serializer)
    try:
        data: bytes = pickler.dumps(content)
    except Exception as error:
        raise TypeError(f"the code or its arguments cannot be pickled: {error}") from error
    return data


class ProcessReplica:
    """One replica in a child process, at an address that survives its restarts."""

    def __init__(self, definition: Definition, address: str, start_timeout: float) -> None:
        """Starts the process.

        Raises StartError with the exception of the class's constructor, and Unavailable if it does
        not return within `start_timeout` seconds.
        """
        self._content = pickled(definition)
        self._name = getattr(definition.target, "__qualname__", repr(definition.target))
        self._start_timeout = start_timeout
        self._lock = threading.Condition()
        self._is_stopped = False
        self.restarts = 0
        self.address = address
        self._process = self._start()
        threading.Thread(target=self._watch, name="weir-process", daemon=True).start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _start(self) -> "subprocess.Popen[bytes]":
        """Starts a process; returns when it serves."""
        end = time.monotonic() + self._start_timeout
        process = subprocess.Popen(
            [sys.executable, "-m", "weir.replica_process", self.address], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE)
        try:
            line = self._reply(process, end)
        except BaseException:
            _end(process, 0)
            raise
        if not line and time.monotonic() >= end:
            _end(process, 0)
            raise errors.Unavailable(
                f"{self._name!r} in a process did not start within {self._start_timeout:g} s; "
                "start_timeout sets this limit")
        reply = _parsed(line) if line else {"error": "the process ended while it started"}
        if "address" not in reply:
            _end(process, 0)
            raise StartError(reply.get("error", f"the process wrote {line[:200]!r} as it started"))
        self.address = reply["address"]
        return process

    def _reply(self, process: "subprocess.Popen[bytes]", end: float) -> bytes:
        """Sends the code to a process; returns its reply, or nothing if it ends or is late."""
        assert process.stdin is not None and process.stdout is not None
        # Ends a write to a process that does not read.
        limit = threading.Timer(self._start_timeout, process.kill)
        limit.daemon = True
        limit.start()
        try:
            paths = json.dumps(sys.path).encode()
            for part in (paths, self._content):
                process.stdin.write(LENGTH.pack(len(part)) + part)
            process.stdin.flush()
            # A child of the process may keep the pipe open after its end.
            with selectors.DefaultSelector() as selector:
                selector.register(process.stdout, selectors.EVENT_READ)
                ready = selector.select(max(0, end - time.monotonic()))
            return process.stdout.readline() if ready else b""
        except OSError:
            return b""
        finally:
            limit.cancel()

    def _watch(self) -> None:
        """Starts the process again when it ends."""
        while True:
            code = self._process.wait()
            with self._lock:
                if self._is_stopped:
                    return
            log.error("a replica at %s ended with status %s", self.address, code)
            process = self._started_again()
            with self._lock:
                if process is None:
                    return
                _close(self._process)
                self._process = process
                self.restarts += 1
                if self._is_stopped:
                    _end(process, 0)
                    return

    def _started_again(self) -> "Optional[subprocess.Popen[bytes]]":
        """Starts a process after a pause, until this succeeds; None if the replica is stopped."""
        pause = _FIRST_PAUSE
        while True:
            with self._lock:
                if self._lock.wait_for(lambda: self._is_stopped, pause):
                    return None
            pause = min(2 * pause, _LONGEST_PAUSE)
            try:
                return self._start()
            # Also of code that runs at the start of Python, such as sitecustomize.
            except Exception as error:
                log.error("a replica could not be started again: %s", error)

    def configure(self, config: BackendConfig) -> None:
        """Has no effect on a running process."""

    def stop(self, grace: float = 5.0) -> None:
        """Waits at most the given seconds for running requests, and ends the process."""
        with self._lock:
            self._is_stopped = True
            self._lock.notify_all()
            process = self._process
        _end(process, grace)


def _parsed(line: bytes) -> Dict[str, str]:
    """The reply of a process; empty if another program code wrote the line."""
    try:
        reply = json.loads(line)
    except ValueError:
        return {}
    return reply if isinstance(reply, dict) else {}


def _end(process: "subprocess.Popen[bytes]", grace: float) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace + 1)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    _close(process)


def _close(process: "subprocess.Popen[bytes]") -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass
