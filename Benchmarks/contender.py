"""A server to measure, and its load.

Unless stated otherwise, the server and the load generator are pinned to one core each, and every
server has one loop or thread. CPU time is that of the server process.
"""

import pathlib
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

from frames import hello_request

ROOT = pathlib.Path(__file__).resolve().parent.parent
RELEASE = ROOT / ".build" / "release"
# connections, streams each, requests
SHAPES = [(1, 1, 5_000), (10, 1, 20_000), (10, 100, 60_000)]
ROUNDS = 20
PAYLOAD = 64


def cpu_seconds(process):
    """The CPU time of a process, with that of threads that have ended."""
    # The number that clock_getcpuclockid(3) returns for another process.
    return time.clock_gettime(~process.pid << 3 | 2)


class Contender:
    def __init__(self, name, command, url, arguments=(), address_from_output=False,
                 cores=("0", "1")):
        """`cores` are those of the server and of the load."""
        self.name, self.arguments, self.load_cores = name, list(arguments), cores[1]
        self.process = subprocess.Popen(
            ["taskset", "-c", cores[0], *map(str, command)], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        if address_from_output:
            url = url.format(self.process.stdout.readline().split()[0])
        self.url = url
        # By shape: the rate and the CPU time per request of each round.
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
            ["taskset", "-c", self.load_cores, "h2load", "-c", str(connections), "-m", str(streams),
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

    def rate(self, shape):
        return statistics.median(rate for rate, _ in self.results[shape])

    def cpu(self, shape):
        return statistics.median(cpu for _, cpu in self.results[shape])

    def text(self, shape):
        low, middle, high = quartiles(cpu for _, cpu in self.results[shape])
        return f"{middle:.2f} us [{low:.2f}-{high:.2f}] ({self.rate(shape) / 1000:.1f} k/s)"

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
    (folder / "body").write_bytes(hello_request(b"x" * PAYLOAD))
    return ["-d", folder / "body", "-H", "content-type: application/grpc", "-H", "te: trailers"]


def measure(contenders, shapes=SHAPES, rounds=ROUNDS):
    """Loads each in turn for several rounds. The loads of one round form the pairs of `ratio`."""
    for contender in contenders:
        wait_for(contender.url)
        contender.load(10, 10, 5_000)
    for number in range(rounds):
        for shape in shapes:
            for contender in contenders if number % 2 == 0 else contenders[::-1]:
                print(f"round {number + 1} of {rounds}: {contender.name} c={shape[0]} "
                      f"m={shape[1]}", end="\033[K\r", file=sys.stderr)
                contender.results.setdefault(shape, []).append(contender.load(*shape))
    print(end="\033[K", file=sys.stderr)


def quartiles(values):
    return statistics.quantiles(values, n=4)


def ratio(over, under, shape, figure=1):
    """The median and the quartiles of the ratios of all rounds: of CPU times, or of rates
    (`figure=0`).
    """
    low, middle, high = quartiles(
        first[figure] / second[figure]
        for first, second in zip(over.results[shape], under.results[shape]))
    return f"{middle:.2f} [{low:.2f}-{high:.2f}]"


def wait_for(url):
    host, port = re.match(r"https?://([^:]+):(\d+)", url).groups()
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
