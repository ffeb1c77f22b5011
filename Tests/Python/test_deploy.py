"""The deployments in `deploy/`: their options, and a server with the settings of each one."""

import json
import re
import shlex
import shutil
import signal
import socket
import subprocess

import pytest
import yaml

from conftest import BUILD, ROOT, SECONDS
from deployment import DEPLOY, Deployed, check_service, sandbox  # noqa: F401
from sandbox import Restrictions


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
    environment = {one["name"]: one.get("value") for one in container["env"]}
    arguments = [one.replace("$(POD_NAME)", "weir-0") for one in container["args"]]
    server = Deployed(
        box, entry + arguments, Restrictions(filters=["runtime_default"]), POD_NAME="weir-0",
        RUNTIME_DIRECTORY=environment["RUNTIME_DIRECTORY"], HOME="/var/lib/weir",
        SWIFT_BACKTRACE=backtrace())
    check_service(server, lambda: probe(box, pod, container))
    etcd.terminate()
    etcd.wait(SECONDS)


def probe(box, pod, container):
    """Sends the probes and the scrape of the manifest."""
    ports = {one["name"]: one["containerPort"] for one in container["ports"]}
    for name in ("startupProbe", "readinessProbe", "livenessProbe"):
        request = container[name]["httpGet"]
        port, path = ports[request["port"]], request["path"]
        box.run(["/usr/bin/curl", "-sf", f"http://127.0.0.1:{port}{path}"])
    annotations = pod["metadata"]["annotations"]
    assert annotations["prometheus.io/scrape"] == "true"
    url = f"http://127.0.0.1:{annotations['prometheus.io/port']}/metrics"
    assert "weir_build_info" in box.run(["/usr/bin/curl", "-sf", "--compressed", url])


def test_the_manifest_starts_with_valid_options():
    kinds, pod, container = deployment()
    assert set(kinds) == {
        "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"}
    assert pod["spec"]["automountServiceAccountToken"] is False
    (metric,) = kinds["HorizontalPodAutoscaler"]["spec"]["metrics"]
    assert metric["resource"]["name"] in container["resources"]["requests"]
    policy = kinds["NetworkPolicy"]["spec"]
    assert policy["podSelector"]["matchLabels"] == pod["metadata"]["labels"]
    open_ports = {port["port"]: "from" in rule for rule in policy["ingress"]
                  for port in rule["ports"]}
    assert open_ports == {"grpc": False, "metrics": True}
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
    server = Deployed(
        box, command, Restrictions(filters=["runtime_default"]), HOME=state,
        SWIFT_BACKTRACE=backtrace())
    check = health_check()
    with pytest.raises(AssertionError):
        box.run(check)
    check_service(server, lambda: box.run(check))


def backtrace():
    """What the image sets; see CrashTrace.swift."""
    value = container_file("ENV").removeprefix("SWIFT_BACKTRACE=")
    assert value == "enable=no"
    return value


def health_check():
    text = (DEPLOY / "Containerfile").read_text()
    (command,) = re.findall(r"^HEALTHCHECK .*\\\n +CMD (\[.*\])$", text, re.MULTILINE)
    return json.loads(command)


def test_the_builder_of_the_image_receives_each_target():
    ignored = [line for line in (ROOT / ".dockerignore").read_text().splitlines()
               if line and not line.startswith("#")]
    assert ignored[0] == "*"
    sent = {line[1:] for line in ignored if line.startswith("!")}
    left = [line for line in ignored[1:] if not line.startswith("!")]
    package = json.loads(subprocess.run(
        ["swift", "package", "dump-package"], cwd=ROOT, timeout=60, capture_output=True,
        text=True, check=True).stdout)
    for target in package["targets"]:
        folder = "Tests" if target["type"] == "test" else "Sources"
        path = target.get("path") or f"{folder}/{target['name']}"
        assert path.split("/")[0] in sent, path
        assert not any(f"{path}/".startswith(f"{one}/") for one in left), path
    for secret in (".git", ".venv", ".build", "weir.db", "clients"):
        assert secret not in sent


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
    text = (DEPLOY / "systemd" / name).read_text().replace("\\\n", " ")
    for line in text.splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section in ("[Service]", "[Socket]"):
            name, value = line.split("=", 1)
            settings.setdefault(name, []).append(value)
    return settings


# How the sandbox applies each setting of the unit.
SETTINGS = {
    "Type": "the test waits for READY=1", "ExecStart": "is run", "ExecReload": "the test sends it",
    "Restart": "not relevant here", "RestartSec": "not relevant here",
    "RestartPreventExitStatus": "not relevant here", "KillMode": "not relevant here",
    "LimitCORE": "not relevant here",
    "Environment": "is set", "EnvironmentFile": "has no options",
    "TimeoutStopSec": "the test waits as long",
    "LimitNOFILE": "RLIMIT_NOFILE", "StateDirectory": "a volume", "StateDirectoryMode": "a volume",
    "RuntimeDirectory": "a volume", "RuntimeDirectoryMode": "a volume",
    "UMask": "umask", "User": "another user", "Group": "its group",
    "RemoveIPC": "not relevant here",
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
        box, service_command(settings), restrictions, path=tmp_path / "run/notify",
        HOME="/", USER="weir", LOGNAME="weir", SHELL="/usr/sbin/nologin", LANG="C.UTF-8",
        NOTIFY_SOCKET="/run/systemd/notify", STATE_DIRECTORY=state,
        RUNTIME_DIRECTORY=runtime, LISTEN_FDS="2", LISTEN_FDNAMES="data:admin",
        **dict(one.split("=", 1) for one in settings["Environment"])))


def service_command(settings):
    """The command of the unit, with the files of this repository."""
    assert settings["EnvironmentFile"] == ["-/etc/default/weir"]
    assert 'WEIR_OPTIONS=""\n' in (DEPLOY / "etc/default/weir").read_text()
    words = shlex.split(settings["ExecStart"][0].replace("$WEIR_OPTIONS", ""))
    return [word.replace("/etc/weir/", f"{DEPLOY}/etc/weir/") for word in words]


def test_the_unit_starts_with_valid_options():
    words = service_command(unit())
    assert words[0] == "/usr/local/bin/weir"
    run = checked(words[1:])
    assert run.returncode == 0, run.stderr


def test_systemd_accepts_the_units():
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (Debian: systemd)")
    units = sorted(str(path) for path in (DEPLOY / "systemd").iterdir()
                   if path.suffix in (".service", ".socket"))
    run = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True,
        timeout=60)
    # This machine has no /usr/local/bin/weir, and systemd may not be running.
    complaints = [line for line in run.stderr.splitlines()
                  if "weir" in line and "not executable" not in line and "Failed to" not in line]
    assert not complaints, run.stderr
    # From 0 (confined) to 100, in tenths of the printed value.
    run = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold=20",
         str(DEPLOY / "systemd/weir.service")], capture_output=True, text=True, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
