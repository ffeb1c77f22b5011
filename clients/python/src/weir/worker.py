"""`python -m weir.worker module:Class`: one worker process of a backend.

Weir starts it with the socket to listen on in WEIR_WORKER_SOCKET, and stops it with SIGTERM.
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
from weir.config import BackendConfig
from weir.replica import Definition, Replica


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m weir.worker", description=__doc__)
    parser.add_argument("target", help="the class or function that answers requests, module:Name")
    parser.add_argument(
        "--init-args", default="[]", help="arguments of the class's constructor, a JSON list")
    parser.add_argument("--max-queries", type=int, help="the limit of concurrent requests")
    parser.add_argument("--max-batch-size", type=int, help="the largest batch of requests")
    parser.add_argument(
        "--batch-wait-timeout", type=float, default=0.0, help="seconds to wait for a full batch")
    parser.add_argument("--serializer", choices=["pickle"], help="also accept pickled values")
    arguments = parser.parse_args()
    socket = os.environ.get("WEIR_WORKER_SOCKET")
    if not socket:
        sys.exit("WEIR_WORKER_SOCKET is not set: Weir starts this program, see "
                 "`weir backend create --worker`")
    logging.basicConfig(format="%(levelname)s %(message)s")
    # As `python -m` does, but also for scripts started in another way.
    sys.path.insert(0, os.getcwd())
    target = serving.load(arguments.target)
    config = BackendConfig(
        max_concurrent_queries=arguments.max_queries, max_batch_size=arguments.max_batch_size,
        batch_wait_timeout=arguments.batch_wait_timeout)
    config.check(target)
    replica = Replica(
        Definition(target, tuple(json.loads(arguments.init_args)), config, arguments.serializer),
        f"unix:{socket}")

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
