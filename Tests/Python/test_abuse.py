"""Attacks from `abuse.py`, each with another client that must not be affected. `make abuse`
measures the effect on a release build.
"""

import pytest

from abuse import CROWDS, NAMES, measure
from conftest import BUILD, PATIENCE, Server

# How the server ends an attacking connection. The server tolerates attacks that are not listed.
PUNISHED = {
    "rapid_reset": "too_many_resets",
    "made_you_reset": "too_many_resets",
    "empty_headers_flood": "too_many_resets",
    "ping_flood": "too_many_pings",
    "priority_flood": "too_many_frames_without_content",
    "empty_data_flood": "too_many_frames_without_content",
    "window_update_flood": "too_many_frames_without_content",
    "unknown_frame_flood": "too_many_frames_without_content",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    # A pipe that is full would block the server, because it logs attacks.
    log = tmp_path_factory.mktemp("abuse") / "log"
    with log.open("w") as output:
        server = Server([str(BUILD / "FixtureServer"), "1"], stderr=output)
    server.data, server.admin = server.first_line.split()
    yield server
    code = server.stop()
    assert code == 0, log.read_text()[-20000:]


@pytest.mark.parametrize("name", NAMES)
def test_a_well_behaved_client_does_not_notice(server, name):
    # The bystander checks each of its responses. A busy machine needs longer to count what it
    # punishes.
    result, latencies, memory = measure(
        name, server, 0.3, share=0.05 if name in CROWDS else 1,
        lasts=5 if name in PUNISHED else None)
    assert max(latencies[1]) < 2, result
    assert memory[1] - memory[0] < 100 << 20
    # A server with a sanitizer is too slow to reach this limit.
    if name in PUNISHED and PATIENCE == 1:
        assert PUNISHED[name] in result["ends"], result
    if name in CROWDS:
        assert result["connections"] == int(CROWDS[name][0] * 0.05)
