"""Servers with the settings of a deployment in `deploy/`, in a sandbox."""

import dataclasses
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

from conftest import BUILD, ROOT, SECONDS, started
from sandbox import Restrictions, Settings

DEPLOY = ROOT / "deploy"
HERE = pathlib.Path(__file__).parent
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def shown():
    """The paths that Weir, the client and the worker read: the checkout, Python and libraries."""
    build = BUILD.resolve()
    libraries = subprocess.run(["ldd", build / "weir"], capture_output=True, text=True, check=True)
    swift = re.findall(r"=> (/.*)/libswiftCore\.so ", libraries.stdout)
    paths = {str(ROOT), sys.base_prefix, *swift}
    return sorted(path for path in paths if not path.startswith("/usr/") and path != "/usr")


class Sandbox:
    """The namespaces of a deployment, in which its server, its clients and its store run."""

    def __init__(self, folder, **settings):
        settings = Settings(weir=str(BUILD.resolve() / "weir"), shown=shown(), **settings)
        ours, theirs = socket.socketpair()
        settings.channel = theirs.fileno()
        with ours, theirs:
            self.holder = started(subprocess.Popen(
                [sys.executable, HERE / "sandbox.py", "hold",
                 json.dumps(dataclasses.asdict(settings))],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env={"TMPDIR": str(folder)}, pass_fds=[theirs.fileno()]))
            if self.holder.stdout.readline() != "ready\n":
                reason = self.holder.communicate()[1].strip().splitlines()[-1]
                if "unshare" in reason or "uid_map" in reason:
                    pytest.skip(f"user namespaces are not allowed here: {reason}")
                pytest.fail(f"cannot create the sandbox: {reason}")
            self.sockets = []
            if settings.listen:
                self.sockets = socket.recv_fds(ours, 16, len(settings.listen))[1]

    def start(self, command, restrictions=Restrictions(), **environment):
        return started(subprocess.Popen(
            [sys.executable, HERE / "sandbox.py", "enter", str(self.holder.pid),
             json.dumps(dataclasses.asdict(restrictions)), *map(str, command)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": PATH, **environment}, pass_fds=restrictions.sockets))

    def run(self, command, restrictions=Restrictions(), **environment):
        process = self.start(command, restrictions, **environment)
        output, complaint = process.communicate(timeout=10 * SECONDS)
        assert process.returncode == 0, output + complaint
        return output

    def close(self):
        for one in self.sockets:
            os.close(one)
        self.holder.communicate(timeout=SECONDS)


@pytest.fixture
def sandbox(tmp_path):
    made = []

    def make(**settings):
        made.append(Sandbox(tmp_path, **settings))
        return made[-1]

    yield make
    for one in made:
        one.close()


class Deployed:
    """A server with a deployment's command, environment and restrictions."""

    def __init__(self, sandbox, command, restrictions, **environment):
        self.sandbox, self.restrictions, self.environment = sandbox, restrictions, environment
        self.command = command
        self.process = None

    def start(self):
        self.process = self.sandbox.start(self.command, self.restrictions, **self.environment)
        self.wait_until_ready()
        fields = status(self.process)
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(fields[name], 16) == 0, name
        assert fields["NoNewPrivs"] == "1" and fields["Seccomp"] == "2"

    def wait_until_ready(self):
        assert self.process.stdout.readline().startswith("weir serves")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(3 * SECONDS) == 0

    def output(self):
        self.process.kill()
        return "".join(self.process.communicate(timeout=SECONDS))

    def client(self, kind):
        """Runs the client in the sandbox of the server; returns its output."""
        output = self.sandbox.run(
            [sys.executable, HERE / "deployed_client.py", kind],
            dataclasses.replace(self.restrictions, sockets=[]), **self.environment)
        return json.loads(output)


def status(process):
    """The fields of /proc/PID/status."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def check_service(server, probe=lambda: None):
    """Checks that the server serves, accepts changes, ends on SIGTERM, and keeps its state. The
    function probes the running server.
    """
    try:
        server.start()
        first = server.client("prepare")
        probe()
        server.stop()
        server.start()
        second = server.client("check")
        server.stop()
    except Exception:
        print(server.output())
        raise
    for seen in (first, second):
        assert seen["health"] == "SERVING"
        assert seen["answers"] == ["upstream", "worker"]
        assert seen["series"], seen
        assert "ok" in seen["healthz"].lower()
    assert first["endpoints"] == second["endpoints"]
    assert "upstream=0.5 worker=0.5" in first["endpoints"]
