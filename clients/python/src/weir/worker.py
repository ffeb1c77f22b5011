"""`python -m weir.worker module:Class`: one worker process of a backend.

Weir starts it, names the socket to listen on in WEIR_WORKER_SOCKET, and ends it with SIGTERM.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from typing import Any

from weir import serving


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weir.worker", description=__doc__)
    parser.add_argument("target", help="the class or function that answers, module:Name")
    parser.add_argument("--init-args", default="[]", help="JSON list for the class's constructor")
    parser.add_argument("--max-queries", type=int, help="requests that it works on at once")
    arguments = parser.parse_args()
    socket = os.environ.get("WEIR_WORKER_SOCKET")
    if not socket:
        sys.exit("WEIR_WORKER_SOCKET is not set: this is a program for Weir to run, see "
                 "`weir backend create --worker`")
    logging.basicConfig(format="%(levelname)s %(message)s")
    # As `python -m` does, but for scripts that are started in another way too.
    sys.path.insert(0, os.getcwd())
    target = serving.load(arguments.target)
    queries = arguments.max_queries or serving.default_queries(target)
    replica = serving.Replica(
        target, tuple(json.loads(arguments.init_args)), f"unix:{socket}", queries)

    def stop(*_: Any) -> None:
        # A signal handler must not wait for the threads that it interrupts.
        raise SystemExit

    signal.signal(signal.SIGTERM, stop)
    try:
        replica.wait()
    finally:
        replica.stop()


if __name__ == "__main__":
    main()
