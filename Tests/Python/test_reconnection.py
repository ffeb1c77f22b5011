"""Connections to servers that end them without serving."""

import socket
import struct
import threading
import time

import pytest
from conftest import start_weir, tool, wait_for
from frames import frame

SETTINGS = frame(4, 0, 0)


def go_away(last, code=0):
    return frame(7, 0, 0, struct.pack(">II", last, code))


@pytest.mark.parametrize("answer", [
    SETTINGS + go_away(0), SETTINGS + go_away(2**31 - 1), SETTINGS + go_away(0, 11), SETTINGS])
@pytest.mark.parametrize("closes", [True, False])
def test_weir_waits_before_it_connects_again(answer, closes):
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def accept():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connections.append(connection)
                connection.sendall(answer)
                if closes:
                    connection.close()

        threading.Thread(target=accept, daemon=True).start()
        server = start_weir("--loops", "1")
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        tool(server, "backend", "create", "away", "--upstream", address, "--wait", "0")
        start = time.monotonic()
        wait_for(lambda: time.monotonic() - start > 2)
        # A bucket of 20 tokens, which gets 5 each second, allows replacements without a delay.
        assert 1 <= len(connections) <= 60
        assert server.stop() == 0
        listener.shutdown(socket.SHUT_RDWR)
    for connection in connections:
        connection.close()
