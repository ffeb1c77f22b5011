"""The console in a browser: pages, and changes by others."""

import signal
import time

from conftest import free_port, start_weir, tool
from console_page import browser, busy, open_page  # noqa: F401
from test_fleet import Fleet, etcd, fleet  # noqa: F401
from waiting import PATIENCE, SECONDS, polled, stays


# Pages.


def test_the_first_page_shows_each_endpoint_with_its_figures(busy, open_page):
    page = open_page(busy).live()
    page.wait("greeter-v1", "#endpoints")
    polled(lambda: page.text("#endpoints td.number b"), lambda text: text not in ("", "–", "0"))
    row = page.text("#endpoints tbody tr").split()
    assert {"greeter", "/helloworld.Greeter/", "greeter-v1", "90", "greeter-v2", "10"} <= set(row)
    assert "1 endpoint, no problems" in page.text("main")
    assert "Undo …" in page.buttons()
    # The same for users who do not see the plots.
    labels = page.run(
        "return [...document.querySelectorAll('#endpoints svg')]"
        ".map(image => image.getAttribute('aria-label'))")
    assert "weights: greeter-v1 90 %, greeter-v2 10 %" in labels and all(labels)


def test_an_endpoint_with_errors_is_first(demo, open_page):
    for name in ("a-good", "z-bad"):
        tool(demo, "endpoint", "create", name, "--route", f"/{name}.Service/", "--backend",
             "greeter-v1")
    tool(demo, "backend", "create", "absent", "--upstream", "127.0.0.1:1")
    tool(demo, "traffic", "set", "z-bad", "greeter-v1=0.5", "absent=0.5")
    page = open_page(demo).live()
    page.wait("absent is not usable", "#endpoints")
    names = polled(lambda: page.run(
        "return [...document.querySelectorAll('#endpoints tbody tr')]"
        ".map(row => row.dataset.endpoint)"),
        lambda names: names and names[0] == "z-bad")
    assert names == ["z-bad", "a-good", "greeter"]
    assert "1 endpoint of 3 with problems" in page.text("main")


def test_a_change_by_the_tool_shows_within_a_second(busy, open_page):
    page = open_page(busy).live()
    page.wait("90 %", "#endpoints")
    times = []
    for share in (0.5, 0.25, 0.75):
        tool(busy, "traffic", "set", "greeter", f"greeter-v1={share}", f"greeter-v2={1 - share}")
        start = time.monotonic()
        page.wait(f"{round(share * 100)} %", "#endpoints .split-cell")
        times.append(time.monotonic() - start)
    assert max(times) < PATIENCE, times
    # The page of the endpoint shows what moved.
    page.open("endpoint/greeter").wait("moved 50.0 % of the keys")
    assert page.all(".strip .outline")
    # The split over time has marks at the revisions, and a table.
    polled(lambda: len(page.all("#split .mark")), lambda count: count >= 3)
    page.run("document.querySelector('#split details').open = true")
    assert polled(lambda: page.text("#split table"), lambda text: "6" in text)
    label = page.run("return document.querySelector('#split svg').getAttribute('aria-label')")
    assert "greeter-v1" in label and "changes" in label


def test_undo_and_apply_are_in_the_history_of_the_endpoint(demo, open_page, tmp_path):
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    tool(demo, "rollback", "3", "--endpoint", "greeter")
    path = tmp_path / "all.json"
    state = tool(demo, "export", "--json").stdout
    path.write_text(state.replace("0.9", "0.8").replace("0.1", "0.2"))
    tool(demo, "apply", "-f", str(path))
    page = open_page(demo, "endpoint/greeter").live()
    text = page.wait("80 %", "#endpoint-history")
    assert [row.split()[0] for row in text.splitlines() if row[:1].isdigit()][:5] == [
        "6", "5", "4", "3", "2"], text
    assert len(page.all("#changes .steps .mark")) == 4
    # A change of others is not in it.
    assert "create backends" not in text


def test_the_page_of_an_endpoint_compares_backends_since_the_change(busy, open_page):
    page = open_page(busy, "endpoint/greeter").live()
    page.wait("since the server's start", "#comparison")
    polled(lambda: page.text("#comparison").count("µs"), lambda count: count > 3)
    tool(busy, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5", "--comment", "more")
    page.wait("before it", "#comparison")
    assert page.wait("greeter: greeter-v1=0.5 greeter-v2=0.5", ".last").endswith("more")
    # A new backend that fails 5 % of the calls is worse than the endpoint was.
    polled(lambda: page.text("#comparison"), lambda text: "▲" not in text)
    tool(busy, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v3=0.5")
    polled(lambda: page.all("#comparison .worse"), bool, 2 * SECONDS)
    assert "this server" in page.text("#flow")
    assert "a handler in this server" in page.text("#replicas")
    assert "create endpoint greeter" in page.text("#endpoint-history")


def test_replicas_of_an_upstream_and_why_they_are_not_ready(demo, open_page):
    tool(demo, "backend", "create", "far", "--upstream", f"127.0.0.1:1,{demo.data}")
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "far=0.5")
    page = open_page(demo, "endpoint/greeter").live()
    text = page.wait("127.0.0.1:1", "#replicas")
    polled(lambda: page.text("#replicas"), lambda text: "down" in text and "ready" in text)
    assert demo.data in text
    assert "1 of 2 replicas of far not ready" in page.text("main")


def test_the_history_shows_the_differences_of_a_revision(demo, open_page):
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.2", "greeter-v2=0.8", "--comment", "why")
    page = open_page(demo, "history").live()
    text = page.wait("greeter-v1=0.2", "#history")
    assert "why" in text and "create endpoint greeter" in text
    page.all("#history a")[0].click()
    text = page.wait("weights", "#revision")
    assert "0.9" in text and "0.2" in text and "70.0 % of its keys move" in text
    page.open("history/3").wait("What is different in the current revision 4", "#revision")


def test_the_fleet_page_shows_the_store_and_limits(demo, open_page):
    page = open_page(demo, "fleet").live()
    text = page.wait("memory:")
    assert "this server" in text and demo.data in text and "leader" in text
    text = page.wait("connections", "#server-limits")
    assert "500 ms" in text and "20,000 on each event loop" in text and "1.0 GiB" in text
    assert "No endpoint has a rate limit" in page.text("#limits")


def test_a_fleet_of_three(fleet, open_page):  # noqa: F811
    for name in ("one", "two", "three"):
        fleet.start(name)
    page = open_page(fleet.servers[0], "fleet").live()
    text = page.wait("3 servers, all current")
    assert all(server.admin in text for server in fleet.servers)
    # A change on another server.
    page.open("").wait("90 %", "#endpoints")
    tool(fleet.servers[2], "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page.wait("50 %", "#endpoints")


# Connections.


def test_the_page_survives_a_restart_of_the_server(tmp_path, open_page):
    ports = ["--data", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"]
    options = ["--demo", "--store", f"sqlite:{tmp_path}/weir.db", *ports]
    server = start_weir(*options)
    page = open_page(server).live()
    page.wait("90 %", "#endpoints")
    server.stop(signal.SIGKILL)
    page.wait("No connection to the server", "#banner")
    assert "connection lost" in page.text("#connection") and "90 %" in page.text("#endpoints")
    server = start_weir(*options)
    page.live()
    tool(server, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page.wait("50 %", "#endpoints")
    assert "No connection" not in page.text("#banner")
    # A server with another history, which may have smaller revisions.
    server.stop(signal.SIGKILL)
    server = start_weir("--demo", "--store", "memory:", *ports)
    page.wait("90 %", "#endpoints")
    assert server.stop() == 0


def test_a_page_without_a_state_claims_nothing(demo, open_page):
    """The page loads, and then its first call fails."""
    page = open_page(demo)
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*weir.admin.v1*"]})
    try:
        page.browser.refresh()
        page.wait("No connection to the server", "#banner")
        for path in ("", "fleet", "endpoint/greeter", "history"):
            page.open(path)
            text = page.wait("Connecting to the server", "main")
            assert text.strip() == "Connecting to the server …", text
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    page.live()


def test_a_page_whose_streams_fail_does_not_hurry(demo, open_page):
    page = open_page(demo)
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*Admin/Watch"]})
    try:
        page.browser.refresh()
        page.requested()
        page.wait("the server is not reachable", "#banner")
        # The pauses between attempts grow.
        assert stays(lambda: len(page.all("#banner .level-2")) == 1, 3)
        attempts = [url for url in page.requested() if url.endswith("/GetAccess")]
        assert 1 <= len(attempts) <= 8, len(attempts)
    finally:
        page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    page.live()


def test_a_hidden_page_does_not_follow_changes(demo, open_page):
    page = open_page(demo).live()
    page.wait("90 %", "#endpoints")
    page.run("""Object.defineProperty(document, "hidden", {value: true, configurable: true});
                document.dispatchEvent(new Event("visibilitychange"));""")
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    assert stays(lambda: "90 %" in page.text("#endpoints"), 1)
    page.run("""delete document.hidden;
                document.dispatchEvent(new Event("visibilitychange"));""")
    page.wait("50 %", "#endpoints")


def test_a_dialog_repeats_its_dry_run_after_another_connection(tmp_path, open_page):
    """The new server has another history, whose revisions have the same numbers."""
    ports = ["--data", f"127.0.0.1:{free_port()}", "--admin", f"127.0.0.1:{free_port()}"]
    server = start_weir("--demo", "--store", "memory:", *ports)
    tool(server, "traffic", "set", "greeter", "greeter-v1=0.2", "greeter-v2=0.8")
    page = open_page(server, "endpoint/greeter").live()
    page.press("Set traffic …")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "70")
    page.wait("10.0 % of all shard keys", "dialog .preview")
    server.stop(signal.SIGKILL)
    server = start_weir("--demo", "--store", "memory:", *ports)
    tool(server, "traffic", "set", "greeter", "greeter-v1=0.7", "greeter-v2=0.3")
    page.wait("40.0 % of all shard keys", "dialog .preview", 20 * PATIENCE)
    assert server.stop() == 0


def test_a_third_window_is_paused(demo, open_page):
    """Browsers open six connections to a server; the page keeps one for calls."""
    page = open_page(demo, "endpoint/greeter").live()
    first = page.browser.current_window_handle
    windows = []
    try:
        for _ in range(2):
            page.browser.switch_to.new_window("window")
            windows.append(page.browser.current_window_handle)
            page.open("endpoint/greeter").live()
        # The latest two windows follow the server, and its actions work.
        page.press("Set traffic …")
        page.wait("has these weights already", "dialog .preview")
        page.browser.switch_to.window(first)
        page.wait("This window is paused", "#banner")
        page.run("window.dispatchEvent(new Event('focus'))")
        page.live()
        page.browser.switch_to.window(windows[0])
        page.wait("This window is paused", "#banner")
    finally:
        for window in windows:
            page.browser.switch_to.window(window)
            page.browser.close()
        page.browser.switch_to.window(first)


def test_pages_that_do_not_exist(demo, open_page):
    page = open_page(demo, "nothing").live()
    page.wait("This page does not exist", "main")
    for path in ("history/abc", "history/99", "history/-1"):
        page.open(path).wait("This revision does not exist", "main")
