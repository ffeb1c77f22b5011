"""The deployments in `deploy/`: their options, and a server with the settings of each one."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys

import pytest
import yaml

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


def check_service(server):
    """Checks that the server serves, accepts changes, ends on SIGTERM, and keeps its state."""
    try:
        server.start()
        first = server.client("prepare")
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


# Kubernetes.


def deployment():
    """The manifest's pod, and its container."""
    objects = list(yaml.safe_load_all((DEPLOY / "kubernetes/weir.yaml").read_text()))
    kinds = {one["kind"]: one for one in objects}
    pod = kinds["Deployment"]["spec"]["template"]
    (container,) = pod["spec"]["containers"]
    return kinds, pod, container


def test_a_pod_of_the_manifest_serves(sandbox):
    _, pod, container = deployment()
    security = container["securityContext"]
    assert security == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}}
    assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    if shutil.which("etcd") is None:
        pytest.skip("etcd is not installed (Debian: etcd-server)")
    box = sandbox(
        uid=pod["spec"]["securityContext"]["runAsUser"], hosts=["etcd"],
        volumes=[*(one["mountPath"] for one in container["volumeMounts"]), "/etcd"])
    etcd = box.start(
        [shutil.which("etcd"), "--data-dir", "/etcd/data", "--log-level", "error",
         "--advertise-client-urls", "http://127.0.0.1:2379"])
    box.run(["/usr/bin/curl", "-sf", "--retry", "100", "--retry-connrefused", "--retry-max-time",
             str(SECONDS), "http://127.0.0.1:2379/health"])
    entry = json.loads(container_file("ENTRYPOINT"))
    arguments = [one.replace("$(POD_NAME)", "weir-0") for one in container["args"]]
    server = Deployed(
        box, entry + arguments, Restrictions(filters=["runtime_default"]), POD_NAME="weir-0",
        HOME="/var/lib/weir")
    check_service(server)
    etcd.terminate()
    etcd.wait(SECONDS)


def test_the_manifest_starts_with_valid_options():
    kinds, pod, container = deployment()
    assert set(kinds) == {
        "Deployment", "Service", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
    run = checked(container["args"])
    assert run.returncode == 0, run.stderr
    limits = dict(line.split()[:2] for line in run.stdout.splitlines()[1:])
    grace = pod["spec"]["terminationGracePeriodSeconds"]
    assert grace > float(limits["drain-delay"]) + float(limits["drain-timeout"])
    for other in ("Service", "PodDisruptionBudget"):
        selector = kinds[other]["spec"]["selector"]
        assert selector.get("matchLabels", selector) == pod["metadata"]["labels"]
    assert kinds["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == \
        kinds["Deployment"]["metadata"]["name"]
    volumes = {one["name"] for one in pod["spec"]["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes


def checked(arguments):
    """Checks the options of `weir serve`, which only validates them with --list-limits."""
    return subprocess.run(
        [BUILD / "weir", *arguments, "--list-limits"], capture_output=True, text=True, timeout=20)


# The container image.


def container_file(instruction):
    """The argument of an instruction of the last stage."""
    text = (DEPLOY / "Containerfile").read_text().split("\nFROM ")[-1]
    (line,) = [line for line in text.splitlines() if line.startswith(f"{instruction} ")]
    return line.removeprefix(f"{instruction} ")


def test_a_container_with_a_read_only_root_serves(sandbox):
    state = container_file("VOLUME")
    box = sandbox(uid=int(container_file("USER")), volumes=[state, "/tmp"])
    command = json.loads(container_file("ENTRYPOINT")) + json.loads(container_file("CMD"))
    server = Deployed(box, command, Restrictions(filters=["runtime_default"]), HOME=state)
    check_service(server)


def test_the_container_starts_with_valid_options():
    run = checked(json.loads(container_file("CMD")))
    assert run.returncode == 0, run.stderr
    # The image is built with the packages that `make` installs.
    text = (DEPLOY / "Containerfile").read_text()
    (packages,) = [line for line in (ROOT / "Makefile").read_text().splitlines()
                   if line.startswith("BUILD_PACKAGES")]
    for package in packages.split(":=")[1].split():
        assert package in text


# systemd.


def unit(name="weir.service"):
    """The settings of a unit's second section; a list for each name."""
    settings = {}
    section = None
    for line in (DEPLOY / "systemd" / name).read_text().splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section in ("[Service]", "[Socket]"):
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


# How the sandbox applies each setting of the unit.
SETTINGS = {
    "Type": "the test waits for READY=1", "ExecStart": "is run", "ExecReload": "the test sends it",
    "Restart": "not relevant here", "TimeoutStopSec": "the test waits as long",
    "LimitNOFILE": "RLIMIT_NOFILE", "StateDirectory": "a volume", "StateDirectoryMode": "a volume",
    "RuntimeDirectory": "a volume", "RuntimeDirectoryMode": "a volume",
    "UMask": "umask", "DynamicUser": "a user without an entry in /etc/passwd",
    "NoNewPrivileges": "prctl", "CapabilityBoundingSet": "prctl",
    "PrivateDevices": "/dev has the devices of `DEVICES`", "PrivateTmp": "volumes",
    "ProtectSystem": "a read-only root", "ProtectHome": "/home and /root do not exist",
    "ProtectClock": "no capabilities", "ProtectHostname": "no capabilities",
    "ProtectKernelTunables": "/proc and /sys are read-only",
    "ProtectKernelModules": "no capabilities", "ProtectKernelLogs": "no capabilities",
    "ProtectControlGroups": "/sys is read-only", "RestrictAddressFamilies": "a filter",
    "RestrictNamespaces": "a filter", "RestrictRealtime": "a filter",
    "RestrictSUIDSGID": "a filter", "LockPersonality": "a filter",
    "SystemCallArchitectures": "libseccomp's default", "SystemCallFilter": "a filter",
}


def calls_of(group):
    """The system calls of a systemd group."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    listed = subprocess.run(
        ["systemd-analyze", "syscall-filter", group, "--no-pager"], capture_output=True, text=True,
        check=True)
    names = set()
    for line in listed.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            names |= calls_of(name)
        elif name and not name.startswith("#"):
            names.add(name)
    return names


class Service(Deployed):
    """A server that notifies systemd, which the test simulates."""

    def __init__(self, *arguments, path, **environment):
        super().__init__(*arguments, **environment)
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(str(path))
        self.notify.settimeout(2 * SECONDS)

    def hear(self):
        return self.notify.recv(4096).decode().split("\n")[0]

    def wait_until_ready(self):
        assert self.hear() == "READY=1"

    def stop(self):
        self.process.send_signal(signal.SIGHUP)
        assert [self.hear(), self.hear()] == ["RELOADING=1", "READY=1"]
        super().stop()
        assert self.hear() == "STOPPING=1"


def test_the_service_runs_within_the_restrictions_of_its_unit(sandbox, tmp_path):
    settings = unit()
    assert set(settings) <= set(SETTINGS), "document above how the sandbox applies the setting"
    assert settings["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    state = f"/var/lib/{settings['StateDirectory'][0]}"
    runtime = f"/run/{settings['RuntimeDirectory'][0]}"
    sockets = [unit("weir.socket"), unit("weir-admin.socket")]
    assert [one["FileDescriptorName"] for one in sockets] == [["data"], ["admin"]]
    addresses = [one["ListenStream"][0].split(":") for one in sockets]
    (tmp_path / "run").mkdir()
    box = sandbox(
        uid=64_000, volumes=[state, runtime, "/tmp", "/var/tmp"],
        files={"/run/systemd": str(tmp_path / "run")},
        listen=[[host, int(port)] for host, port in addresses])
    restrictions = Restrictions(
        filters=["families", "namespaces", "real_time", "set_id_modes", "personality", "only"],
        families=settings["RestrictAddressFamilies"][0].split(),
        calls=sorted(calls_of(settings["SystemCallFilter"][0])),
        open_files=int(settings["LimitNOFILE"][0]), umask=int(settings["UMask"][0], 8),
        sockets=box.sockets)
    check_service(Service(
        box, shlex.split(settings["ExecStart"][0]), restrictions, path=tmp_path / "run/notify",
        HOME="/", USER="weir", LOGNAME="weir", SHELL="/usr/sbin/nologin", LANG="C.UTF-8",
        NOTIFY_SOCKET="/run/systemd/notify", STATE_DIRECTORY=state,
        RUNTIME_DIRECTORY=runtime, LISTEN_FDS="2", LISTEN_FDNAMES="data:admin"))


def test_the_unit_starts_with_valid_options():
    words = shlex.split(unit()["ExecStart"][0])
    assert words[0] == "/usr/local/bin/weir"
    run = checked(words[1:])
    assert run.returncode == 0, run.stderr


def test_systemd_accepts_the_units():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    units = sorted(map(str, (DEPLOY / "systemd").iterdir()))
    run = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, timeout=60)
    # This machine has no /usr/local/bin/weir, and systemd may not be running.
    complaints = [line for line in run.stderr.splitlines()
                  if "weir" in line and "not executable" not in line and "Failed to" not in line]
    assert not complaints, run.stderr
    # From 0 (confined) to 100, in tenths of the printed value.
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
         str(DEPLOY / "systemd/weir.service")], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
