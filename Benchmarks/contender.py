"""A server to measure, and its load.

The server and the load generator are pinned to one core each; every server has one loop or thread.
CPU time is that of the server process.
"""

import pathlib
import re
import signal
import socket
import struct
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / ".build" / "release"
# connections, streams each, requests
SHAPES = [(1, 1, 20_000), (10, 1, 100_000), (10, 100, 400_000)]
ROUNDS = 3
PAYLOAD = 64


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(process):
    fields = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


class Contender:
    def __init__(self, name, command, url, arguments=(), address_from_output=False):
        self.name, self.arguments = name, list(arguments)
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *map(str, command)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        if address_from_output:
            url = url.format(self.process.stdout.readline().split()[0])
        self.url = url
        self.results = {}
        # Whether to stop the server while others are measured, because it has background work.
        self.pauses = False

    def load(self, connections, streams, requests, log=None, rate=None):
        """Measures requests per second, and CPU microseconds of the server per request.

        Sends as many requests as possible, or `rate` per second on each connection.
        """
        if self.pauses:
            self.process.send_signal(signal.SIGCONT)
        before = cpu_seconds(self.process)
        output = subprocess.run(
            ["taskset", "-c", "1", "h2load", "-c", str(connections), "-m", str(streams),
             "-n", str(requests), *([f"--log-file={log}"] if log else []),
             *([f"--rps={rate}"] if rate else []), *self.arguments, self.url],
            capture_output=True, text=True, timeout=120, check=True).stdout
        spent = cpu_seconds(self.process) - before
        if self.pauses:
            self.process.send_signal(signal.SIGSTOP)
        if f"{requests} succeeded" not in output:
            sys.exit(f"{self.name}: requests failed\n{output}")
        rate = float(re.search(r"([\d.]+) req/s", output).group(1))
        return rate, spent / requests * 1e6

    def latencies(self, folder, connections, streams, requests, rate=None):
        """The median, 99 % and 99.9 % latencies in microseconds."""
        log = folder / "latencies"
        log.unlink(missing_ok=True)
        self.load(connections, streams, requests, log, rate)
        times = sorted(int(line.split()[2]) for line in log.read_text().splitlines())
        return [times[int(len(times) * share)] for share in (0.5, 0.99, 0.999)]

    def resident_bytes(self):
        return int(pathlib.Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * 4096

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


def grpc_load(folder):
    """The arguments of h2load for a unary call with the payload."""
    message = b"\x0a" + bytes([PAYLOAD]) + b"x" * PAYLOAD
    (folder / "body").write_bytes(struct.pack(">BI", 0, len(message)) + message)
    return ["-d", folder / "body", "-H", "content-type: application/grpc", "-H", "te: trailers"]


def measure(contenders, shapes=SHAPES):
    """Loads each in turn for several rounds, and keeps the best result of each."""
    for contender in contenders:
        wait_for(contender.url)
        contender.load(10, 10, 5_000)
    for number in range(ROUNDS):
        for shape in shapes:
            for contender in contenders:
                print(f"round {number + 1} of {ROUNDS}: {contender.name} c={shape[0]} "
                      f"m={shape[1]}", end="\033[K\r", file=sys.stderr)
                result = contender.load(*shape)
                best = contender.results.get(shape, (0, float("inf")))
                contender.results[shape] = (max(best[0], result[0]), min(best[1], result[1]))
    print(end="\033[K", file=sys.stderr)


def wait_for(url):
    host, port = re.match(r"http://([^:]+):(\d+)", url).groups()
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((host, int(port))) == 0:
                return
        time.sleep(0.02)
    sys.exit(f"no server listens at {url}")


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        first, *rest = [cell.ljust(widths[0]) if index == 0 else cell.rjust(widths[index])
                        for index, cell in enumerate(row)]
        print("  ".join([first, *rest]))
