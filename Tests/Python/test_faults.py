"""Upstreams that crash, hang, flap, send GOAWAY, reset streams or send garbage."""

import concurrent.futures
import signal
import socket
import threading
import time

import frames
import grpc
import pytest

import frame_server
from frame_server import FrameServer
from conftest import free_port, wait_for
from test_upstream import RAW, READY, call, failure

HALF_MESSAGE = b"\x00\x00\x00\x00\x10half"


class Load:
    """Unary calls on several threads until `stop`; counts the results."""

    def __init__(self, mesh, threads=4, method="Name", request=b"0.01"):
        self.done, self.errors, self.stopped = 0, [], threading.Event()
        self.method, self.request = method, request
        self.mesh = mesh
        # Daemon threads, because a failing test does not call `stop`.
        self.threads = [
            threading.Thread(target=self.run, daemon=True) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.stopped.is_set():
            try:
                call(self.mesh, self.method, self.request)
                self.done += 1
            except grpc.RpcError as error:
                self.errors.append(error)

    def wait(self, number):
        wait_for(lambda: self.done >= number, 30)

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join()


@pytest.mark.parametrize("retries", [True, False])
def test_an_upstream_killed_under_load(mesh, retries):
    a, b = mesh.upstream(NAME="a"), mesh.upstream(NAME="b")
    mesh.raw(a.address, b.address, options=["--retry", "UNAVAILABLE"] if retries else [])
    load = Load(mesh, threads=8)
    load.wait(100)
    a.process.kill()
    load.wait(load.done + 200)
    load.stop()
    if retries:
        assert not load.errors
    else:
        # Only the requests in flight on the killed upstream.
        assert len(load.errors) <= 8
        assert {error.code() for error in load.errors} <= {grpc.StatusCode.UNAVAILABLE}


def test_a_hanging_upstream_gets_less_and_harms_no_other(mesh):
    a, b = mesh.upstream(NAME="a"), mesh.upstream(NAME="b")
    mesh.raw(a.address, b.address, options=["--health-interval", "0.3"])
    a.process.send_signal(signal.SIGSTOP)
    try:
        # Health checks time out, then the other replica receives all requests.
        mesh.wait_for("raw", lambda status: sorted(r.state for r in status.replicas) == [3, 4])
        began = time.monotonic()
        assert {call(mesh, "Name").split()[0] for _ in range(50)} == {b"b"}
        assert time.monotonic() - began < 5
    finally:
        a.process.send_signal(signal.SIGCONT)
    mesh.wait_for("raw", lambda status: [r.state for r in status.replicas] == [3, 3])


def test_a_flapping_upstream_recovers_each_time(mesh):
    port = free_port()
    address = f"127.0.0.1:{port}"
    upstream = mesh.upstream(address)
    mesh.raw(address)
    for _ in range(3):
        assert call(mesh, "Name")
        upstream.process.kill()
        upstream.process.wait()
        mesh.wait_for("raw", lambda status: not status.usable)
        assert failure(lambda: call(mesh, "Name")).code() == grpc.StatusCode.UNAVAILABLE
        upstream = mesh.upstream(address)
        mesh.wait_for("raw", lambda status: status.replicas[0].state == READY)


def frame_backend(mesh, server):
    # The server answers any path, but not with a health response.
    mesh.raw(server.address, options=["--health-interval", "0"])


def test_goaway_every_hundred_requests_fails_none(mesh):
    def answer(connection, stream):
        connection.reply(stream)
        if connection.requests == 100:
            connection.go_away(stream)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    load = Load(mesh, threads=8)
    load.wait(1000)
    load.stop()
    assert not load.errors
    assert server.connections >= 10
    server.close()


def test_requests_that_a_goaway_leaves_out_are_sent_again(mesh):
    def answer(connection, stream):
        # The first connection accepts two requests and ignores the rest.
        if connection.requests == 2 and connection.server.connections <= 2:
            connection.go_away(1)
        elif stream == 1 or connection.server.connections > 2:
            connection.reply(stream)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    load = Load(mesh, threads=4)
    load.wait(50)
    load.stop()
    assert not load.errors
    assert mesh.status("raw").transparent_retries > 0
    server.close()


def test_refused_streams_are_sent_again_and_other_resets_are_not(mesh):
    code = [frame_server.REFUSED_STREAM]

    def answer(connection, stream):
        if connection.server.requests % 10 == 0:
            connection.reset(stream, code[0])
        else:
            connection.reply(stream)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    load = Load(mesh)
    load.wait(300)
    load.stop()
    assert not load.errors
    assert mesh.status("raw").transparent_retries >= 30
    code[0] = 2
    load = Load(mesh, threads=1)
    load.wait(90)
    load.stop()
    assert abs(len(load.errors) - (load.done + len(load.errors)) / 10) <= 1
    for error in load.errors:
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert "INTERNAL_ERROR" in error.details()
    mesh.tool("backend", "update", "raw", "--retry", "UNAVAILABLE")
    load = Load(mesh, threads=1)
    load.wait(90)
    load.stop()
    assert not load.errors
    server.close()


def test_the_streams_that_a_server_takes_are_not_exceeded(mesh):
    connections = []

    def answer(connection, stream):
        if connection not in connections:
            connections.append(connection)
        # A slow server, so that requests overlap.
        threading.Event().wait(0.01)
        connection.reply(stream)

    server = FrameServer(answer, max_streams=2)
    frame_backend(mesh, server)
    load = Load(mesh, threads=16)
    load.wait(300)
    load.stop()
    assert not load.errors
    assert max(connection.most_open for connection in connections) <= 2
    # Weir opened further connections for the other requests.
    assert len(connections) > 2
    server.close()


@pytest.mark.parametrize("greeting, text", [
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP/2"),
    (b"\x00" * 64, "HTTP/2"),
    (b"", "closed the connection"),
    (frames.frame(4, 0, 0, b"\x00" * 5), "HTTP/2"),
])
def test_garbage_makes_a_replica_unusable_with_the_reason(mesh, greeting, text):
    server = FrameServer(None, greeting=greeting)
    if not greeting:
        server.close()
        server = FrameServer(None, greeting=b"")
    mesh.raw(server.address)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    assert text in error.details() or "no usable replica" in error.details()
    assert mesh.status("raw").replicas[0].state == 6
    server.close()


@pytest.mark.parametrize("fields, code, text", [
    ([(":status", "503")], grpc.StatusCode.UNAVAILABLE, "HTTP status 503"),
    ([(":status", "200"), ("content-type", "text/html")], grpc.StatusCode.UNKNOWN, "text/html"),
    ([(":status", "200"), ("content-type", "application/grpc")], grpc.StatusCode.UNKNOWN, ""),
])
def test_a_response_that_is_not_grpcs_gets_a_status(mesh, fields, code, text):
    def answer(connection, stream):
        connection.send(frame_server.HEADERS, 5, stream, frames.header_block(fields))

    server = FrameServer(answer)
    frame_backend(mesh, server)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == code and text in error.details()
    server.close()


# gRPC's negative HTTP/2 interop tests, whose GOAWAY and stream limit are above.


@pytest.mark.parametrize("when", ["after the header", "during the data", "after the data"])
def test_a_response_that_is_reset_fails_the_call_and_no_other(mesh, when):
    used = []

    def answer(connection, stream):
        used.append(connection)
        if len(used) > 1:
            return connection.reply(stream)
        connection.begin(stream)
        if when == "during the data":
            connection.send(frame_server.DATA, 0, stream, HALF_MESSAGE)
        elif when == "after the data":
            connection.message(stream)
        connection.reset(stream, 0)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.INTERNAL and "NO_ERROR" in error.details()
    assert call(mesh, "Name") == b"ok"
    assert used[0] is used[1]
    server.close()


def test_pings_at_any_time_are_answered_and_disturb_no_call(mesh):
    asked, connections = [], []

    def ping(connection):
        asked.append(b"%08d" % len(asked))
        connection.ping(asked[-1])

    def answer(connection, stream):
        connections.append(connection)
        ping(connection)
        connection.begin(stream)
        ping(connection)
        connection.message(stream)
        ping(connection)
        connection.finish(stream)
        ping(connection)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    for _ in range(3):
        assert call(mesh, "Name") == b"ok"
    assert len(asked) == 12
    wait_for(lambda: connections[0].acknowledged == asked, 10)
    server.close()


@pytest.mark.parametrize("padding", [0, 1, 255])
def test_padded_data_is_data_without_its_padding(mesh, padding):
    def answer(connection, stream):
        connection.begin(stream)
        for _ in range(300):
            connection.message(stream, b"ab", padding)
        connection.finish(stream)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    # More than a window of padding, which is credited too.
    replies = mesh.channel.unary_stream(RAW + "Name")(b"", timeout=30)
    assert list(replies) == [b"ab"] * 300
    server.close()


def test_a_response_cut_off_in_the_middle_fails_the_call(mesh):
    def answer(connection, stream):
        connection.begin(stream)
        connection.send(frame_server.DATA, 0, stream, HALF_MESSAGE)
        connection.socket.shutdown(socket.SHUT_RDWR)

    server = FrameServer(answer)
    frame_backend(mesh, server)
    error = failure(lambda: call(mesh, "Name"))
    assert error.code() == grpc.StatusCode.UNAVAILABLE
    server.close()


def test_trailers_before_the_request_has_ended_reach_the_caller(mesh):
    upstream = mesh.upstream()
    mesh.raw(upstream.address)
    never = threading.Event()

    def requests():
        yield b"first"
        never.wait(10)

    # The method does not exist, so the response arrives while the request continues.
    running = mesh.channel.stream_unary(RAW + "NoSuch").future(requests(), timeout=10)
    assert running.code() == grpc.StatusCode.UNIMPLEMENTED
    never.set()
    mesh.wait_for("raw", lambda status: status.in_flight == 0)


def test_many_calls_at_once_keep_their_answers_apart(mesh):
    mesh.raw(mesh.upstream(NAME="a").address, mesh.upstream(NAME="b").address)

    def one(number):
        text = call(mesh, "Metadata", metadata=[("x-number", str(number))], timeout=30).decode()
        return f"x-number={number}\n" in text

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert all(pool.map(one, range(1000)))


@pytest.mark.parametrize("answers", [True, False])
def test_a_connection_that_acknowledges_no_keepalive_ping_is_closed(mesh, tmp_path, answers):
    def answer(connection, stream):
        # Long enough for several pings, without a thread that waits.
        if answers:
            threading.Timer(3, connection.reply, [stream]).start()

    server = FrameServer(answer, answers_pings=answers)
    file = tmp_path / "backend.yaml"
    file.write_text(
        f"upstream: {{addresses: ['{server.address}']}}\n"
        "options:\n  health_check: {interval: 0s}\n"
        "  keepalive_interval: 0.2s\n  keepalive_timeout: 0.2s\n")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", RAW, "raw")
    if answers:
        assert call(mesh, "Name") == b"ok"
    else:
        error = failure(lambda: call(mesh, "Name"))
        assert error.code() == grpc.StatusCode.UNAVAILABLE
        assert "keepalive" in error.details()
    server.close()


def test_connections_that_are_not_used_are_closed_and_opened_again(mesh, tmp_path):
    upstream = mesh.upstream()
    file = tmp_path / "backend.yaml"
    file.write_text(
        f"upstream: {{addresses: ['{upstream.address}']}}\noptions: {{idle_timeout: 1s}}\n")
    mesh.backend("raw", "-f", file)
    mesh.endpoint("raw", RAW, "raw")
    mesh.wait_for("raw", lambda status: status.replicas[0].connections == 0)
    assert call(mesh, "Name")
    assert mesh.status("raw").replicas[0].connections > 0
