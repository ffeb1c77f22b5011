"""Compares streams: messages per second of a server stream, and an upload of 1 GiB, for handlers
and for proxies of the same upstream.
"""

import json
import sys

from contender import RELEASE, Contender, quartiles, table, wait_for
from frames import hello_request
from passthrough import envoy_configuration, envoy_program, start_upstream, start_weir
from ports import free_port

SERVICE = "/helloworld.Greeter/"
MESSAGES, STREAMS = 10_000, 20
UPLOAD_BYTES = 1 << 30
PART_BYTES = 64 << 10
ROUNDS = 5


def bodies(folder):
    """The files with the requests of both loads."""
    stream, upload = folder / "stream", folder / "upload"
    stream.write_bytes(hello_request(str(MESSAGES).encode()))
    part = hello_request(b"x" * PART_BYTES)
    with upload.open("wb") as file:
        for _ in range(UPLOAD_BYTES // PART_BYTES):
            file.write(part)
    return stream, upload


def load(contender, address, method, body, requests):
    """Requests per second, and CPU microseconds per request."""
    contender.url = f"http://{address}{SERVICE}{method}"
    contender.arguments = [
        "-d", str(body), "-H", "content-type: application/grpc", "-H", "te: trailers"]
    return contender.load(1, 1, requests)


def compare(folder, peer):
    """The figures of each contender: lists of (messages/s, CPU us per message, MiB/s, CPU ms per
    MiB).

    `peer` is the program of gRPC C++'s server.
    """
    upstream, upstream_address = start_upstream()
    port, envoy_port = free_port(), free_port()
    (folder / "envoy.json").write_text(json.dumps(
        envoy_configuration(envoy_port, int(upstream_address.rsplit(":", 1)[1]))))
    contenders = [
        Contender("weir, handler", [RELEASE / "FixtureServer", "1"], "http://{}/", (), True),
        Contender("grpc C++", [peer, port], f"http://127.0.0.1:{port}/"),
        start_weir(upstream_address, "weir, proxy"),
        Contender(
            "envoy", [envoy_program(), "-c", folder / "envoy.json", "--concurrency", "1",
                      "--disable-hot-restart", "-l", "off"], f"http://127.0.0.1:{envoy_port}/"),
    ]
    figures = {contender.name: [] for contender in contenders}
    stream, upload = bodies(folder)
    size = UPLOAD_BYTES / 2**20
    try:
        for contender in contenders:
            wait_for(contender.url)
        for number in range(ROUNDS):
            for contender in contenders if number % 2 == 0 else contenders[::-1]:
                print(f"streams {number + 1} of {ROUNDS}: {contender.name}", end="\033[K\r",
                      file=sys.stderr)
                address = contender.url.split("/")[2]
                rate, cpu = load(contender, address, "SayHelloStreamReply", stream, STREAMS)
                sent, spent = load(contender, address, "SayHelloToAll", upload, 1)
                figures[contender.name].append(
                    (rate * MESSAGES, cpu / MESSAGES, sent * size, spent / 1_000 / size))
        print(end="\033[K", file=sys.stderr)
    finally:
        upload.unlink()
        for contender in contenders:
            contender.stop()
        upstream.terminate()
        upstream.wait(20)
    return figures


def report(figures):
    print(f"\nServer streams of {MESSAGES} messages of 64 bytes, and an upload of "
          f"{UPLOAD_BYTES >> 30} GiB in messages of {PART_BYTES >> 10} KiB, one at a time "
          f"(medians [quartiles] of {ROUNDS} rounds)\n")
    rows = [["server", "messages/s", "CPU per message", "upload", "CPU per MiB"]]
    for name, rounds in figures.items():
        rates, costs, speeds, spent = (quartiles(column) for column in zip(*rounds))
        rows.append([
            name, f"{rates[1] / 1_000:.0f} k [{rates[0] / 1_000:.0f}-{rates[2] / 1_000:.0f}]",
            f"{costs[1]:.2f} us [{costs[0]:.2f}-{costs[2]:.2f}]",
            f"{speeds[1]:.0f} MiB/s [{speeds[0]:.0f}-{speeds[2]:.0f}]",
            f"{spent[1]:.2f} ms [{spent[0]:.2f}-{spent[2]:.2f}]"])
    table(rows)
