"""The actions of an operator, a client and probes on a deployed server, in its sandbox.

    deployed_client.py prepare   creates an upstream and a worker backend, and splits traffic
    deployed_client.py check     calls both backends and reads what probes and scrapers read
    deployed_client.py worker    is the worker
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from concurrent import futures

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

DATA, ADMIN, UPSTREAM = "127.0.0.1:8000", "127.0.0.1:8001", "localhost:9000"
HELLO = "/helloworld.Greeter/SayHello"
SECONDS = 30


def greeter(address, answer):
    """A server of `helloworld.Greeter` that always returns the same response."""
    server = grpc.server(futures.ThreadPoolExecutor(4))
    hello = grpc.unary_unary_rpc_method_handler(lambda request, context: answer)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        "helloworld.Greeter", {"SayHello": hello}),))
    server.add_insecure_port(address)
    server.start()
    return server


def weir(*arguments):
    done = subprocess.run(
        ["/usr/local/bin/weir", *arguments], capture_output=True, text=True, timeout=2 * SECONDS)
    assert done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done.stdout


def call():
    with grpc.insecure_channel(DATA) as channel:
        return channel.unary_unary(HELLO)(b"\n\x03Ada", timeout=SECONDS).decode()


def get(path):
    with urllib.request.urlopen(f"http://{ADMIN}{path}", timeout=SECONDS) as response:
        return response.read().decode()


def prepare():
    weir("backend", "create", "upstream", "--upstream", UPSTREAM, "--wait", str(SECONDS))
    weir("backend", "create", "worker", "--worker", f"{sys.executable} {__file__} worker",
         "--wait", str(SECONDS))
    weir("endpoint", "create", "greeter", "--route", "/helloworld.Greeter/", "--backend",
        "upstream")
    weir("traffic", "set", "greeter", "upstream=0.5", "worker=0.5")


def answers():
    """Calls until both backends have answered; a worker needs time after a restart."""
    seen, end = set(), time.monotonic() + SECONDS
    while len(seen) < 2:
        try:
            seen.add(call())
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE or time.monotonic() > end:
                raise
    return sorted(seen)


def check():
    with grpc.insecure_channel(DATA) as channel:
        health = health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=SECONDS)
    answered = answers()
    metrics = get("/metrics")
    return {
        "health": health_pb2.HealthCheckResponse.ServingStatus.Name(health.status),
        "answers": answered, "healthz": get("/healthz"),
        "endpoints": weir("endpoint", "list"),
        "series": [line for line in metrics.splitlines() if line.startswith("grpc_server_")][:3]}


def main(kind):
    if kind == "worker":
        greeter(f"unix:{os.environ['WEIR_WORKER_SOCKET']}", b"worker").wait_for_termination()
    upstream = greeter(UPSTREAM, b"upstream")
    if kind == "prepare":
        prepare()
    print(json.dumps(check()))
    upstream.stop(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
