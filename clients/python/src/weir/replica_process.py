"""`python -m weir.replica_process ADDRESS`: one replica of a backend in a process.

The program that serves the backend starts it, see `weir.process`, with the search path and the
pickled code on standard input. It prints its address, or its error, as a line of JSON.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import sys
import threading
from typing import IO, Any, List

from weir.config import BackendConfig
from weir.process import LENGTH
from weir.replica import Definition, Replica

log = logging.getLogger("weir")


def _read(source: IO[bytes]) -> bytes:
    (length,) = LENGTH.unpack(source.read(LENGTH.size))
    return source.read(length)


def main(arguments: List[str]) -> None:
    source = sys.stdin.buffer
    descriptor = source.fileno()
    # What the code prints is for the operator, and not for the program that reads the address.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    logging.basicConfig(format="%(levelname)s %(message)s")
    try:
        sys.path[:] = json.loads(_read(source))
        target, init_args, config, serializer = pickle.loads(_read(source))
        definition = Definition(target, init_args, BackendConfig.of(config), serializer)
        replica = Replica(definition, arguments[0])
    except BaseException as error:
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), file=replies, flush=True)
        log.exception("the replica could not be started")
        sys.exit(1)
    print(json.dumps({"address": replica.address}), file=replies, flush=True)
    ended = threading.Event()

    def wait_for_parent() -> None:
        # Without a buffer, whose lock would disturb the end of the process.
        os.read(descriptor, 1)
        ended.set()

    def stop(*_: Any) -> None:
        ended.set()

    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches all processes of a terminal; the program decides when its replicas end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=wait_for_parent, daemon=True).start()
    ended.wait()
    replica.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
