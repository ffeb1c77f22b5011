"""The console in a browser: pages, actions, and changes by others."""

import json
import signal
import time

import pytest

from conftest import free_port, start_weir, tool
from console_page import browser, greetings, open_page  # noqa: F401
from test_fleet import Fleet, etcd, fleet  # noqa: F401
from waiting import PATIENCE, SECONDS, polled, stays


@pytest.fixture
def busy(demo):
    with greetings(demo):
        yield demo


def weights(server):
    listed = json.loads(tool(server, "endpoint", "list", "--json").stdout)["endpoints"]
    return {each["backend"]: each["weight"] for each in listed[0]["weights"]}


def revisions(server):
    return json.loads(tool(server, "history", "--json").stdout)["revisions"]


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


def test_the_fleet_page_shows_the_store_and_rejections(demo, open_page):
    page = open_page(demo, "fleet").live()
    text = page.wait("memory:")
    assert "this server" in text and demo.data in text and "leader" in text
    page.wait("of 2", ".facts")


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


# Actions.


def test_traffic_is_set_after_a_dry_run(busy, open_page):
    page = open_page(busy, "endpoint/greeter").live()
    page.press("Set traffic …")
    page.wait("0 % of all shard keys move", "dialog .preview")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "35")
    page.wait("25.0 % of all shard keys move", "dialog .preview")
    assert page.all("dialog .strip .outline")
    # Nothing has changed.
    assert weights(busy) == {"greeter-v1": 0.9, "greeter-v2": 0.1}
    (comment,) = page.all("dialog textarea")
    comment.send_keys("half & <i>half</i>")
    page.confirm("Set traffic")
    page.wait("Done: Set the traffic of greeter (revision 4)")
    assert weights(busy) == {"greeter-v1": 0.65, "greeter-v2": 0.35}
    assert revisions(busy)[0]["comment"] == "half & <i>half</i>"
    page.wait("half & <i>half</i>", ".last")


def test_a_dialog_that_is_cancelled_changes_nothing(demo, open_page):
    page = open_page(demo, "endpoint/greeter").live()
    page.press("Set traffic …")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "35")
    page.wait("25.0 %", "dialog .preview")
    page.press("Cancel", "dialog")
    page.gone("dialog")
    assert len(revisions(demo)) == 3


def test_a_change_since_the_dry_run_needs_another_look(demo, open_page):
    page = open_page(demo, "endpoint/greeter").live()
    page.press("Set traffic …")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "35")
    page.wait("25.0 %", "dialog .preview")
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page.press("Set traffic", "dialog")
    page.wait("Another change was made since the dry run", "dialog")
    assert weights(demo) == {"greeter-v1": 0.5, "greeter-v2": 0.5}
    page.wait("15.0 %", "dialog .preview")
    page.confirm("Set traffic")
    assert weights(demo) == {"greeter-v1": 0.65, "greeter-v2": 0.35}


def test_a_page_that_opens_after_a_change_shows_the_figures_before_it(busy, open_page):
    # The server keeps figures from its first second on.
    polled(lambda: json.loads(tool(busy, "stats", "--json").stdout)["backends"],
           lambda rows: sum(int(row["requests"]) for row in rows) > 200)
    tool(busy, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page = open_page(busy, "endpoint/greeter").live()
    page.wait("before it", "main")
    assert "begin after the change" not in page.text("main")


def test_one_click_undoes_the_last_change_and_states_what_moves(busy, open_page):
    tool(busy, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page = open_page(busy).live()
    page.press("Undo …")
    text = page.wait("40.0 % of all shard keys move", "dialog .preview")
    assert "revision 3" in text and 'weights["greeter-v1"]' in text
    page.confirm("Undo")
    page.wait("90 %", "#endpoints")
    assert weights(busy) == {"greeter-v1": 0.9, "greeter-v2": 0.1}


def test_the_creation_of_an_endpoint_is_not_undone(demo, open_page):
    tool(demo, "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1")
    page = open_page(demo, "endpoint/other").live()
    page.press("Undo …")
    page.wait("endpoint 'other' did not exist", "dialog")
    assert not page.all("dialog button[type=submit]")[0].is_enabled()


def test_a_shadow_is_set_reported_and_reset(busy, open_page):
    page = open_page(busy, "endpoint/greeter").live()
    page.press("Shadow …")
    page.fill("[name=proportion]", "100")
    page.wait("greeter-v3 receives a copy of 100 % of the requests", "dialog .preview")
    page.confirm("Set shadow")
    # The values differ, side by side.
    text = page.wait('"Hi Ada!"', "#shadows")
    assert "message" in text
    # Either of the backends that share the traffic has answered the pair in the report.
    assert '"Hello Ada!"' in text or '"Good day, Ada."' in text
    page.wait("DIFFERS", "#shadows")
    page.run("document.querySelectorAll('#shadows details').forEach(d => { d.open = true; })")
    assert "/helloworld.Greeter/SayHello" in page.text("#shadows .sample")
    page.press("Reset report …", "#shadows")
    page.wait("compared pairs", "dialog .preview")
    page.confirm("Reset report")
    page.press("Change …", "#shadows")
    page.fill("[name=proportion]", "0")
    page.wait("receives no copies", "dialog .preview")
    page.confirm("Set shadow")
    page.gone("#shadows")


def test_a_rate_limit_is_set_and_removed(busy, open_page):
    page = open_page(busy, "endpoint/greeter").live()
    page.press("Rate limit …")
    page.fill("[name=limit]", "2.5")
    page.wait("At most 2.5 requests per second", "dialog .preview")
    page.confirm("Set rate limit")
    page.wait("Rate limit: 2.5 requests/s")
    page.open("fleet").wait("requests rejected by a limit", "#rejections")
    page.open("endpoint/greeter").press("Rate limit …")
    page.fill("[name=limit]", "0")
    page.wait("rate_limit", "dialog .preview")
    page.fill("[name=limit]", "")
    page.wait("No limit", "dialog .preview")
    page.confirm("Set rate limit")
    polled(lambda: page.text("main"), lambda text: "Rate limit: " not in text)


def test_a_rollout_is_started_decided_and_its_evidence_shown(busy, open_page):
    tool(busy, "traffic", "set", "greeter", "greeter-v1=1")
    page = open_page(busy, "endpoint/greeter").live()
    page.press("Start rollout …")
    page.fill("[name=candidate]", "greeter-v2")
    page.fill("[name=steps]", "20%, 50%")
    page.fill("[name=minimum]", "2")
    page.wait("50%", "dialog .preview")
    (approval,) = page.all("dialog [name=approval]")
    approval.click()
    page.wait("keys that move", "dialog .preview")
    page.confirm("Start rollout")
    page.wait("step 1 of 3", "#rollout")
    page.wait("20 %", ".split")
    page.wait("errors<1.5x", "#rollout")
    polled(lambda: len(page.all("#rollout .evidence")), bool, 2 * SECONDS)
    text = page.text("#rollout")
    assert "interval" in text and "Evidence against the candidate" in text
    page.press("Pause …", "#rollout")
    page.confirm("Pause")
    page.wait("paused", "#rollout .phase")
    page.press("Resume …", "#rollout")
    page.confirm("Resume")
    polled(lambda: page.text("#rollout .phase"), lambda text: "paused" not in text)
    page.press("Advance …", "#rollout")
    page.confirm("Advance")
    page.wait("step 2 of 3", "#rollout")
    assert weights(busy)["greeter-v2"] == 0.5
    # The rollout owns the weights.
    page.press("Set traffic …")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "30")
    page.wait("rollout", "dialog .preview .error")
    page.press("Cancel", "dialog")
    page.press("Abort …", "#rollout")
    page.wait("now 50 %, then 0 %", "dialog .preview")
    page.confirm("Abort")
    page.wait("aborted", "#rollout .phase")
    assert weights(busy) == {"greeter-v1": 1}
    page.press("Start rollout …")
    page.fill("[name=candidate]", "greeter-v2")
    page.confirm("Start rollout")
    page.press("Promote …", "#rollout")
    page.wait("then 100 %", "dialog .preview")
    page.confirm("Promote")
    polled(lambda: weights(busy), lambda now: now == {"greeter-v2": 1})


def test_a_freeze_is_begun_and_ended(busy, stubs, open_page):
    if not hasattr(stubs.admin, "SetFreezeRequest"):
        pytest.skip("this server cannot freeze changes")
    page = open_page(busy, "fleet").live()
    page.press("Freeze all changes …")
    page.fill("[name=reason]", "incident <7>")
    page.confirm("Freeze")
    page.wait("Changes are frozen by", "#banner")
    page.open("endpoint/greeter").press("Set traffic …")
    page.wait("incident <7>", "dialog .preview .error")
    page.press("Cancel", "dialog")
    page.open("fleet").press("End the freeze …")
    page.confirm("End freeze")
    page.wait("The server accepts changes")


def test_a_change_that_reverts_is_kept(demo, open_page):
    tool(demo, "traffic", "set", "greeter", "greeter-v2=1", "--confirm-within", "5m")
    page = open_page(demo, "endpoint/greeter").live()
    page.wait("The weights revert at")
    page.press("Keep weights …")
    page.confirm("Keep weights")
    polled(lambda: page.text("main"), lambda text: "The weights revert at" not in text)
    assert weights(demo) == {"greeter-v2": 1}


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
