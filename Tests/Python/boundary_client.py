"""Sends boundary values to a live server, each with a health check, and checks the responses."""

import contextlib
import json
import os
import subprocess

from boundary_pipe import Answer, Pipe, health_check, is_healthy
from conftest import SECONDS, Server, wait_for
from peer import NO_ERROR


class Subject:
    """A server under test. It is restarted after a crash, so that one run finds all crashes."""

    MOST_CRASHES = 30

    def __init__(self, command, folder, prepare=lambda subject: None):
        self.command, self.prepare = list(map(str, command)), prepare
        self.log = folder / "stderr"
        self.faults, self.crashes, self.inputs = [], 0, 0
        self.server = None
        self.start()

    def start(self):
        # A file has no capacity limit, unlike a pipe; a backtrace takes seconds.
        self.server = Server(
            ["sh", "-c", 'exec "$@" 2> "$0"', str(self.log), *self.command],
            {"SWIFT_BACKTRACE": "enable=no"})
        self.data, self.admin = addresses(self.server.first_line)
        self.pipes = {}
        self.prepare(self)

    def stop(self):
        for pipe in self.pipes.values():
            pipe.close()
        return self.server.stop()

    def has_crashed(self):
        """Whether the process has crashed; it may need a moment to end."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.server.process.wait(0.05)
        return self.server.process.poll() is not None

    def last_words(self):
        lines = self.log.read_text(errors="replace").splitlines()
        fatal = [line for line in lines if "Fatal error" in line or "ERROR: " in line]
        return (fatal or lines or [""])[-1][:400]

    def fault(self, label, what):
        self.faults.append(f"{label}: {what}")

    def restart(self, label):
        self.crashes += 1
        code = self.server.process.poll()
        self.fault(label, f"the server ended with {code}: {self.last_words()}")
        assert self.crashes <= self.MOST_CRASHES, self.summary()
        self.start()

    def summary(self):
        shown = self.faults[:200]
        return f"{len(self.faults)} faults in {self.inputs} inputs\n" + "\n".join(shown)

    # Requests.

    def pipe(self, port):
        pipe = self.pipes.get(port)
        if pipe is None or not pipe.is_open or pipe.end[0] != NO_ERROR:
            if pipe:
                pipe.close()
            pipe = self.pipes[port] = Pipe(getattr(self, port))
        return pipe

    def drop(self, port):
        pipe = self.pipes.pop(port, None)
        if pipe:
            pipe.close()

    def run(self, asks, port="data", checks=(), at_once=16, also=None, accepted=None):
        """Sends each request, directly followed by a health check and `checks`.

        With `also`, the health of that port is checked too, from time to time; `accepted` returns
        the faults after a request that was answered with OK.
        """
        asks = list(asks)
        self.inputs += len(asks)
        self.accepted = accepted
        together = [ask for ask in asks if not ask.is_alone]
        for start in range(0, len(together), at_once):
            batch = together[start:start + at_once]
            self._batch(batch, port, checks)
            if also and not self._is_well(self.exchange([health_check()], also), ()):
                self.fault(f"one of {[ask.label for ask in batch]}", f"health of {also}")
        for ask in asks:
            if ask.is_alone:
                self._alone(ask, port, checks)

    def _batch(self, asks, port, checks):
        behind = [health_check(), *checks]
        sent = [ask for each in asks for ask in (each, *behind)]
        answers = self.exchange(sent, port)
        width = 1 + len(behind)
        for number, ask in enumerate(asks):
            answer, *others = answers[number * width:(number + 1) * width]
            if answer.end in ("ended", "reset") and self._is_well(others, checks):
                self._judge(ask, answer)
            else:
                self._alone(ask, port, checks)

    def _alone(self, ask, port, checks):
        """Sends each request on its own connection, to find the request that causes a fault."""
        self.drop(port)
        [answer] = self.exchange([ask], port)
        if answer.end == "closed" and answer.code == NO_ERROR and self.has_crashed():
            return self.restart(ask.label)
        self._judge(ask, answer)
        if answer.end != "ended":
            self.drop(port)
        others = self.exchange([health_check(), *checks], port)
        if self._is_well(others, checks):
            return
        if self.has_crashed():
            return self.restart(ask.label)
        self.fault(ask.label, f"afterwards {[(other.end, other.fields) for other in others]}")

    def exchange(self, asks, port):
        try:
            return self.pipe(port).exchange(asks)
        except ConnectionError:
            self.drop(port)
            return [Answer(end="closed", reason="refused") for _ in asks]

    def _judge(self, ask, answer):
        what = ask.judge(answer)
        if what:
            self.fault(ask.label, what)
        if self.accepted and answer.status == 0:
            for what in self.accepted(ask):
                if self.has_crashed():
                    return self.restart(ask.label)
                self.fault(ask.label, what)

    @staticmethod
    def _is_well(answers, checks):
        return len(answers) == 1 + len(checks) and is_healthy(answers[0]) and all(
            answer.end == "ended" and answer.fault() is None and answer.status in (0, None)
            for answer in answers[1:])


class Admin:
    """Creates backends with an endpoint each, without outlier detection."""

    def __init__(self, messages, stub, metadata=()):
        self.messages, self.stub, self.metadata = messages, stub, metadata

    def upstream(self, name, route, address, codes=(), descriptors=b""):
        backend = self.messages.Backend(
            name=name, options=self._options(codes), descriptor_set=descriptors)
        backend.upstream.addresses.append(address)
        self._create(backend, route)

    def worker(self, name, route, command, environment=None, codes=()):
        backend = self.messages.Backend(name=name, options=self._options(codes))
        backend.worker.command.extend(command)
        backend.worker.environment.update(environment or {})
        self._create(backend, route)

    def _options(self, codes):
        options = self.messages.BackendOptions(replica_affinity=True, forwarded_for=True)
        options.retry.max_attempts = 2
        options.retry.codes.extend(codes)
        options.retry.initial_delay.nanos = options.retry.max_delay.nanos = 1_000_000
        options.retry.budget_share, options.retry.budget_per_second = 10, 100
        options.outlier_detection.consecutive_failures = 0
        options.outlier_detection.failure_share = 0
        options.health_check.interval.seconds = 0
        return options

    def _create(self, backend, route):
        self.stub.CreateBackend(
            self.messages.CreateBackendRequest(backend=backend), timeout=SECONDS,
            metadata=self.metadata)
        if route:
            self.stub.CreateEndpoint(
                self.messages.CreateEndpointRequest(
                    name=backend.name, route=route, backend=backend.name),
                timeout=SECONDS, metadata=self.metadata)
        wait_for(lambda: all(replica.state == 3 for replica in self.stub.GetBackend(
            self.messages.GetBackendRequest(name=backend.name), timeout=SECONDS,
            metadata=self.metadata).status.replicas))


def addresses(line):
    """The data and the admin address that a server has printed."""
    if line.startswith("{"):
        found = json.loads(line)
        return found["data"], found["admin"]
    data, admin = line.split()
    return data, admin


def environment():
    return {**os.environ, "NO_COLOR": "1", "SWIFT_BACKTRACE": "enable=no"}
