"""The console in a browser: actions, each after a dry run."""

import json
import threading
import time

from conftest import tool
from console_page import browser, busy, open_page, revisions, weights  # noqa: F401
from waiting import PATIENCE, SECONDS, polled


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
    # The dialog shows the result of the change at once. A click before that asks again.
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    page.wait("15.0 %", "dialog .preview")
    assert weights(demo) == {"greeter-v1": 0.5, "greeter-v2": 0.5}
    page.confirm("Set traffic")
    assert weights(demo) == {"greeter-v1": 0.65, "greeter-v2": 0.35}


def test_a_change_of_another_endpoint_needs_no_other_look(demo, open_page):
    tool(demo, "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1")
    page = open_page(demo, "endpoint/greeter").live()
    page.press("Set traffic …")
    # The weights that the endpoint has cannot be set.
    page.wait("has these weights already", "dialog .preview")
    assert not page.all("dialog button[type=submit]")[0].is_enabled()
    page.fill("[aria-label='weight of greeter-v2 in percent']", "35")
    page.wait("25.0 %", "dialog .preview")
    tool(demo, "traffic", "set", "other", "greeter-v1=0.5", "greeter-v2=0.5")
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
    assert "reverts revision 4" in text and 'weights["greeter-v1"]' in text
    page.confirm("Undo")
    page.wait("90 %", "#endpoints")
    assert weights(busy) == {"greeter-v1": 0.9, "greeter-v2": 0.1}


def test_an_undo_does_not_undo_the_change_of_another_user(demo, open_page):
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5", "--author", "ann")
    page = open_page(demo, "endpoint/greeter").live()
    page.press("Undo …")
    text = page.wait("40.0 % of all shard keys", "dialog .preview")
    assert "reverts revision 4" in text and "by ann" in text
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.3", "greeter-v2=0.7")
    page.wait("changed again after this dialog opened", "dialog")
    assert not page.all("dialog button[type=submit]")[0].is_enabled()


def test_an_undo_while_another_endpoint_changes_all_the_time(demo, open_page):
    tool(demo, "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1")
    tool(demo, "traffic", "set", "greeter", "greeter-v1=0.5", "greeter-v2=0.5")
    stop = threading.Event()

    def automate():
        share = 0
        while not stop.wait(0.2):
            share = (share + 10) % 100
            tool(demo, "traffic", "set", "other", f"greeter-v1={share / 100}",
                 f"greeter-v2={1 - share / 100}")

    thread = threading.Thread(target=automate)
    thread.start()
    try:
        page = open_page(demo, "endpoint/greeter").live()
        page.press("Undo …")
        page.wait("40.0 % of all shard keys", "dialog .preview")
        page.confirm("Undo")
    finally:
        stop.set()
        thread.join()
    listed = json.loads(tool(demo, "endpoint", "show", "greeter", "--json").stdout)
    assert "0.9" in json.dumps(listed)


def test_a_dialog_of_an_endpoint_that_is_deleted(demo, open_page):
    tool(demo, "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1")
    page = open_page(demo, "endpoint/other").live()
    page.press("Rate limit …")
    page.fill("[name=limit]", "5")
    page.wait("At most 5.0", "dialog .preview")
    tool(demo, "endpoint", "delete", "other")
    page.wait("no endpoint 'other'", "dialog .preview .error")


def test_exact_splits_of_three_backends(demo, open_page):
    page = open_page(demo, "endpoint/greeter").live()
    page.press("Set traffic …")
    page.fill("[name=add]", "greeter-v3")
    page.fill("[aria-label='weight of greeter-v1 in percent']", "50")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "33.3333")
    for text in ("150", "-5", "e", ""):
        page.fill("[aria-label='weight of greeter-v2 in percent']", text)
        page.wait("Enter numbers from 0 to 100", "dialog .preview")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "33.3333")
    page.wait("of all shard keys", "dialog .preview")
    page.confirm("Set traffic")
    made = weights(demo)
    assert made["greeter-v1"] == 0.5 and abs(made["greeter-v2"] - 0.333333) < 1e-9


def test_the_creation_of_an_endpoint_is_not_undone(demo, open_page):
    tool(demo, "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1")
    page = open_page(demo, "endpoint/other").live()
    page.press("Undo …")
    page.wait("endpoint 'other' did not exist", "dialog")
    page.wait("weir endpoint delete other", "dialog")
    assert not page.all("dialog button[type=submit]")[0].is_enabled()


def test_a_shadow_is_set_reported_and_reset(busy, open_page):
    page = open_page(busy, "endpoint/greeter").live()
    page.press("Shadow …")
    # No backend is selected for the user.
    page.wait("Select a backend", "dialog .preview")
    assert not page.all("dialog button[type=submit]")[0].is_enabled()
    page.fill("[name=backend]", "greeter-v3")
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
    page.wait("over the rate limit of the endpoint", "#rejected")
    assert "over the rate limit are rejected" in page.text(".problems")
    page.open("").wait("requests/s over the rate limit are rejected", "#endpoints")
    text = page.open("fleet").wait("greeter", "#endpoint-limits")
    assert "2.5" in text
    rejected = polled(lambda: page.text("#endpoint-limits tbody .worse"), bool)
    assert int(rejected.replace(",", "")) > 0
    stats = json.loads(tool(busy, "stats", "--json").stdout)
    assert int(stats["endpoints"][0]["rateLimited"]) >= int(rejected.replace(",", ""))
    page.open("endpoint/greeter").press("Rate limit …")
    page.fill("[name=limit]", "5e")
    page.wait("Enter numbers", "dialog .preview")
    page.fill("[name=limit]", "0")
    page.wait("Requests per second: is 0.0", "dialog .preview")
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
    page.wait("Select the candidate", "dialog .preview")
    page.fill("[name=candidate]", "greeter-v2")
    page.confirm("Start rollout")
    page.press("Promote …", "#rollout")
    page.wait("then 100 %", "dialog .preview")
    page.confirm("Promote")
    polled(lambda: weights(busy), lambda now: now == {"greeter-v2": 1})


def test_a_freeze_is_begun_and_ended(busy, open_page):
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


def test_a_freeze_that_ends_by_itself_leaves_the_page(demo, stubs, open_page):
    page = open_page(demo, "fleet").live()
    with demo.channel(demo.admin) as channel:
        admin = stubs.admin_grpc.AdminStub(channel)
        request = stubs.admin.SetFreezeRequest(frozen=True, reason="short")
        request.until.FromMilliseconds(int((time.time() + 2 * PATIENCE) * 1000))
        admin.SetFreeze(request)
        page.wait("Changes are frozen by", "#banner")
        page.wait("The server accepts changes", "#freeze", 10 * PATIENCE)
        assert "frozen" not in page.text("#banner")


def test_the_page_knows_which_actions_a_freeze_allows(busy, stubs, open_page):
    tool(busy, "shadow", "set", "greeter", "greeter-v3=1")
    tool(busy, "traffic", "set", "greeter", "greeter-v2=1", "--confirm-within", "5m")
    tool(busy, "freeze", "on", "--reason", "incident 7")
    page = open_page(busy, "endpoint/greeter").live()
    page.wait("Changes are frozen by", "#banner")
    for label, allowed in (("Undo …", True), ("Set traffic …", False), ("Shadow …", False),
                           ("Start rollout …", False), ("Rate limit …", False),
                           ("Reset report …", True), ("Keep weights …", True)):
        page.press(label)
        if label == "Set traffic …":
            page.fill("[name=add]", "greeter-v1")
            page.fill("[aria-label='weight of greeter-v1 in percent']", "10")
        for name, value in (("backend", "greeter-v1"), ("candidate", "greeter-v1"), ("limit", "9")):
            if page.all(f"dialog select[name={name}]:enabled, dialog input[name={name}]"):
                page.fill(f"[name={name}]", value)
        submit = "dialog button[type=submit]"
        if allowed:
            polled(lambda: page.all(submit)[0].is_enabled(), bool)
        else:
            # Weights that revert forbid a rollout, too.
            text = "will revert" if label == "Start rollout …" else "incident 7"
            page.wait(text, "dialog .preview .error")
            assert not page.all(submit)[0].is_enabled(), label
        if label == "Keep weights …":
            page.confirm("Keep weights")
        else:
            page.press("Cancel", "dialog")
            page.gone("dialog")
    polled(lambda: page.text("main"), lambda text: "The weights revert at" not in text)


def test_a_change_that_reverts_is_kept(demo, open_page):
    tool(demo, "traffic", "set", "greeter", "greeter-v2=1", "--confirm-within", "5m")
    page = open_page(demo, "endpoint/greeter").live()
    page.wait("The weights revert at")
    page.press("Keep weights …")
    page.confirm("Keep weights")
    polled(lambda: page.text("main"), lambda text: "The weights revert at" not in text)
    assert weights(demo) == {"greeter-v2": 1}
