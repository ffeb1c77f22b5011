"""Real etcd servers on loopback."""

import pathlib
import subprocess

from conftest import SECONDS, answers, free_port, wait_for


class EtcdProcess(subprocess.Popen):
    """A process of etcd, with its log beside its data."""

    def __init__(self, port, folder, *options):
        self.port, self.log = port, pathlib.Path(f"{folder}.log")
        with self.log.open("w") as log:
            super().__init__(
                ["etcd", "--data-dir", folder, "--unsafe-no-fsync", "--log-level", "error",
                 *options], stdout=log, stderr=log)

    def listens(self):
        assert self.poll() is None, f"etcd has ended: {self.log.read_text()}"
        return answers(self.port)


class Etcd:
    """A real etcd with one member on loopback, with its data in a folder."""

    def __init__(self, folder, scheme="http", options=()):
        self.folder, self.scheme, self.options = folder, scheme, options
        self.port, self.peer_port = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        self.process = None
        self.start()

    def start(self):
        client, peer = f"{self.scheme}://{self.address}", f"http://127.0.0.1:{self.peer_port}"
        self.process = EtcdProcess(
            self.port, self.folder, "--listen-client-urls", client,
            "--advertise-client-urls", client, "--listen-peer-urls", peer,
            "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
            *self.options)
        wait_for(self.process.listens)

    def stop(self):
        self.process.terminate()
        self.process.wait(SECONDS)

    def control(self, *arguments):
        """The output of etcdctl."""
        run = subprocess.run(
            ["etcdctl", f"--endpoints={self.address}", *arguments], capture_output=True, text=True,
            timeout=SECONDS, check=True, env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"})
        return run.stdout
