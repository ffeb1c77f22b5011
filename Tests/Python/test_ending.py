"""The end of a server, and its replacement by another one, without losing requests or connections.
"""

import fcntl
import json
import os
import signal
import socket
import subprocess
import threading

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from conftest import BUILD, free_port, load, start_demo, started, tool, wait_for
from peer import Peer
from waiting import stays

HELLO = "/helloworld.Greeter/SayHello"


class Load:
    """Clients with one connection per request or for all requests; counts failures."""

    def __init__(self, address, threads=4, reconnects=True):
        self.address, self.reconnects = address, reconnects
        self.done, self.failures = 0, []
        self.stopping = threading.Event()
        self.threads = [threading.Thread(target=self._run) for _ in range(threads)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join()

    def _run(self):
        peer, stream = None, 1
        while not self.stopping.is_set():
            try:
                if peer is None:
                    peer, stream = Peer(self.address, timeout=20), 1
                peer.request(stream, HELLO, b"\n\x03Ada")
                fields, _ = peer.response(stream)
                assert fields["grpc-status"] == "0", fields
                self.done += 1
                stream += 2
            except (OSError, AssertionError) as error:
                self.failures.append(repr(error))
                peer = None
            if self.reconnects and peer:
                peer.close()
                peer = None


def health(address):
    with grpc.insecure_channel(address) as channel:
        return health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10).status


def test_health_reports_not_serving_first_and_connections_are_accepted_meanwhile():
    server = start_demo("--limit", "drain-delay=5")
    assert health(server.data) == health_pb2.HealthCheckResponse.SERVING
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: health(server.data) == health_pb2.HealthCheckResponse.NOT_SERVING, 4)
    with Load(server.data) as busy:
        wait_for(lambda: busy.done > 50)
    assert busy.done and not busy.failures
    # The server has released the state for its successor.
    run = tool(server, "traffic", "set", "greeter", "greeter-v1=1", check=False)
    assert run.returncode == 69 and "this server is stopping" in run.stderr
    assert server.process.wait(20) == 0


def test_a_second_signal_cuts_the_delay_short():
    server = start_demo("--limit", "drain-delay=60")
    server.process.send_signal(signal.SIGTERM)
    wait_for(lambda: health(server.data) == health_pb2.HealthCheckResponse.NOT_SERVING)
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(20) == 0


def test_full_load_ends_without_a_failed_request():
    """grpcio's channels follow a GOAWAY: sent requests are answered, others use a new connection.
    """
    server = start_demo()
    codes = []
    with grpc.insecure_channel(server.data) as channel:
        hello = channel.unary_unary(HELLO)

        def call():
            futures = [hello.future(b"\n\x03Ada", timeout=20) for _ in range(50)]
            codes.extend((future.code(), future.details()) for future in futures)

        with load(call, threads=3):
            wait_for(lambda: len(codes) > 500)
            server.process.send_signal(signal.SIGTERM)
            assert server.process.wait(30) == 0
    # Only refused connections may fail, because the server no longer listens.
    others = [one for one in codes if one[0] != grpc.StatusCode.OK
              and "Connection refused" not in one[1]]
    assert not others, others[:5]


def test_a_new_process_takes_over_with_no_connection_refused(tmp_path):
    data, admin = free_port(), free_port()

    def start(*options):
        # Port 0 would not be shared.
        process = subprocess.Popen(
            [BUILD / "weir", "serve", "--json", "--data", f"127.0.0.1:{data}", "--admin",
             f"127.0.0.1:{admin}", "--state-dir", tmp_path, "--demo", "--limit", "drain-delay=4",
             *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        return started(process)

    old = start()
    addresses = json.loads(old.stdout.readline())
    # Without --take-over, another server does not share the ports.
    other = subprocess.run(
        [BUILD / "weir", "serve", "--data", f"127.0.0.1:{data}", "--admin", f"127.0.0.1:{admin}",
         "--store", "memory:"], capture_output=True, text=True, timeout=20)
    assert other.returncode == 1 and "see --take-over" in other.stderr
    with Load(addresses["data"]) as busy:
        wait_for(lambda: busy.done > 50)
        new = start("--take-over", "30")
        assert stays(lambda: new.poll() is None, 0.5)
        old.send_signal(signal.SIGTERM)
        assert new.stdout.readline()
        assert old.wait(20) == 0
        before = busy.done
        wait_for(lambda: busy.done > before + 50)
    # When the old sockets close, the kernel resets connections that were not yet accepted: at most
    # one of each client. No connection is refused, and no accepted one is lost.
    assert len(busy.failures) <= len(busy.threads), busy.failures
    assert not any("refused" in failure.lower() for failure in busy.failures)
    server = type("Server", (), {"admin": addresses["admin"], "data": addresses["data"]})
    assert "greeter" in tool(server, "endpoint", "list").stdout
    new.send_signal(signal.SIGTERM)
    assert new.wait(20) == 0


class Manager:
    """Simulates systemd: keeps the sockets, starts the service, and receives its notifications."""

    def __init__(self, folder):
        self.sockets = {}
        for name in ("data", "admin"):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(4096)
            self.sockets[name] = listener
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(folder / "notify")
        self.notify.bind(self.path)
        self.notify.settimeout(20)

    def address(self, name):
        return "127.0.0.1:%d" % self.sockets[name].getsockname()[1]

    def start(self, *options, names="data:admin"):
        files = [self.sockets[name].fileno() for name in names.split(":")]

        def inherit():
            # A descriptor may have the number of another one's target.
            copies = [fcntl.fcntl(file, fcntl.F_DUPFD, 100) for file in files]
            for place, file in enumerate(copies):
                os.dup2(file, 3 + place)

        # The shell's process id is that of the service after `exec`.
        return started(subprocess.Popen(
            ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", BUILD / "weir", "serve", *options],
            stderr=subprocess.PIPE, text=True, preexec_fn=inherit, close_fds=False,
            env={**os.environ, "LISTEN_FDS": "2", "LISTEN_FDNAMES": names,
                 "NOTIFY_SOCKET": self.path}))

    def hear(self):
        return self.notify.recv(4096).decode().split("\n")[0]


def test_systemd_passes_sockets_and_receives_the_status_of_the_service(tmp_path):
    manager = Manager(tmp_path)
    options = ("--demo", "--store", f"sqlite:{tmp_path}/weir.db")
    service = manager.start(*options, names="admin:data")
    assert manager.hear() == "READY=1"
    with Load(manager.address("data"), threads=2) as busy:
        wait_for(lambda: busy.done > 20)
        service.send_signal(signal.SIGHUP)
        assert [manager.hear(), manager.hear()] == ["RELOADING=1", "READY=1"]
        # A restart: the sockets stay open, so connections wait and none is refused.
        service.send_signal(signal.SIGTERM)
        assert manager.hear() == "STOPPING=1"
        assert service.wait(20) == 0
        service = manager.start(*options)
        assert manager.hear() == "READY=1"
        before = busy.done
        wait_for(lambda: busy.done > before + 20)
    assert not busy.failures, busy.failures
    with grpc.insecure_channel(manager.address("admin")) as channel:
        assert health_pb2_grpc.HealthStub(channel).Check(
            health_pb2.HealthCheckRequest(), timeout=10).status
    service.send_signal(signal.SIGTERM)
    assert service.wait(20) == 0


def test_an_inherited_admin_socket_is_held_to_the_same_rules(tmp_path):
    manager = Manager(tmp_path)
    # The loopback address in a form that is not recognised: IPv4-mapped IPv6.
    listener = socket.socket(socket.AF_INET6)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::ffff:127.0.0.1", 0))
    listener.listen()
    manager.sockets["admin"] = listener
    service = manager.start("--store", "memory:")
    text = service.communicate(timeout=20)[1]
    assert service.returncode == 1
    assert "the admin address [::ffff:127.0.0.1]:0 requires" in text
    service = manager.start("--store", "memory:", "--insecure-admin")
    assert manager.hear() == "READY=1"
    service.send_signal(signal.SIGTERM)
    assert service.wait(20) == 0


def test_sockets_meant_for_another_process_are_left_alone(tmp_path):
    server = subprocess.Popen(
        [BUILD / "weir", "serve", "--json", "--store", "memory:", "--data", "127.0.0.1:0",
         "--admin", "127.0.0.1:0"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "LISTEN_PID": "1", "LISTEN_FDS": "2"})
    assert json.loads(server.stdout.readline())["data"] != "127.0.0.1:0"
    server.terminate()
    assert server.wait(20) == 0
