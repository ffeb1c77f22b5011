"""The console's page of calls: a tap, and the calls of a trace."""

import grpc

from conftest import metric, tool
from console_page import browser, greetings, open_page  # noqa: F401
from peer import Peer, message
from test_console_access import TOKENS, guarded, sign_in  # noqa: F401
from waiting import polled

GREETER = "/helloworld.Greeter/SayHello"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def hello(server, path=GREETER, **options):
    with grpc.insecure_channel(server.data) as channel:
        try:
            channel.unary_unary(path)(b"", timeout=10, **options)
        except grpc.RpcError as error:
            return error.code()


def choose(page, name, value):
    page.run(
        "const control = document.querySelector(arguments[0]); control.value = arguments[1];"
        "control.dispatchEvent(new Event('change', {bubbles: true}));"
        "control.dispatchEvent(new Event('input', {bubbles: true}))",
        f"#tap [name={name}]", value)


def rows(page):
    return page.run(
        "return [...document.querySelectorAll('#calls tbody tr')].map(row => row.innerText)")


def test_a_tap_shows_calls_and_ends_with_the_page(demo, open_page):
    page = open_page(demo, "endpoint/greeter").live()
    page.wait("Watch its calls")
    page.run("document.querySelector('a[href^=\"#/calls\"]:not(nav a)').click()")
    page.wait("Endpoint", "#tap")
    assert polled(lambda: page.run("return document.querySelector('#tap select').value"), bool) \
        == "greeter"
    page.press("Watch")
    page.wait("Watching", "#tap-state")
    hello(demo, metadata=[("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01"),
                          ("x-serve-shard-key", "secret-key")])
    with Peer(demo.data) as peer:
        path = "/helloworld.Greeter/<img\u202e>"
        peer.request(1, path=path.encode(), body=message())
        assert peer.status(1) == 12
    polled(lambda: rows(page), lambda found: len(found) == 2)
    failed, first = rows(page)
    assert "UNIMPLEMENTED" in failed and "<masked>" in failed and "\u202e" not in failed
    assert "OK" in first and GREETER in first and TRACE[:8] in first
    assert "secret-key" not in page.text() and not page.all("#calls img")
    assert "2 calls" in page.text("#tap-state")
    # Leaving the page closes the tap.
    assert metric(demo, "weir_taps") == 1
    page.open("history").wait("History", "main")
    polled(lambda: metric(demo, "weir_taps"), lambda open: open == 0)


def test_filters_of_a_tap(demo, open_page):
    page = open_page(demo, "calls/greeter").live()
    page.wait("Endpoint", "#tap")
    choose(page, "status", "UNIMPLEMENTED")
    page.press("Watch")
    page.wait("Watching", "#tap-state")
    hello(demo)
    hello(demo, path="/helloworld.Greeter/No")
    page.wait("UNIMPLEMENTED", "#calls")
    assert len(rows(page)) == 1
    page.press("Stop")
    page.wait("Stopped", "#tap-state")
    polled(lambda: metric(demo, "weir_taps"), lambda open: open == 0)
    choose(page, "status", "")
    choose(page, "key", "ada")
    page.press("Watch")
    page.wait("Watching", "#tap-state")
    hello(demo, metadata=[("x-serve-shard-key", "bob")])
    hello(demo, metadata=[("x-serve-shard-key", "ada")])
    polled(lambda: rows(page), lambda found: len(found) == 1)


def test_a_hidden_page_holds_no_tap(demo, open_page):
    page = open_page(demo, "calls/greeter").live()
    page.wait("Endpoint", "#tap")
    page.press("Watch")
    page.wait("Watching", "#tap-state")
    hello(demo)
    polled(lambda: rows(page), lambda found: len(found) == 1)
    page.run("""Object.defineProperty(document, "hidden", {value: true, configurable: true});
                document.dispatchEvent(new Event("visibilitychange"));""")
    polled(lambda: metric(demo, "weir_taps"), lambda open: open == 0)
    # It continues when the page is visible, with the calls of before.
    page.run("""delete document.hidden;
                document.dispatchEvent(new Event("visibilitychange"));""")
    page.wait("Watching", "#tap-state")
    polled(lambda: metric(demo, "weir_taps"), lambda open: open == 1)
    hello(demo)
    polled(lambda: rows(page), lambda found: len(found) == 2)


def test_a_busy_tap_stays_bounded(demo, open_page):
    page = open_page(demo, "calls/greeter").live()
    page.wait("Endpoint", "#tap")
    page.press("Watch")
    page.wait("Watching", "#tap-state")
    with greetings(demo, 0.001):
        page.wait("the latest 200 are shown", "#tap-state")
    assert len(rows(page)) <= 200
    page.size(420)
    width = page.run("return [document.documentElement.scrollWidth, innerWidth]")
    assert width[0] <= width[1], width


def test_the_calls_of_a_trace(demo, open_page):
    tool(demo, "shadow", "set", "greeter", "greeter-v3=1")
    hello(demo, metadata=[("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01")])
    page = open_page(demo, "calls").live()
    page.wait("Trace id", "#find-trace")
    page.run("document.querySelector('#find-trace').requestSubmit()")
    page.wait("32 hexadecimal digits", "#find-trace [role=alert]")
    page.run(
        "const input = document.querySelector('#find-trace input'); input.value = arguments[0];"
        "input.form.requestSubmit()", f"00-{TRACE.upper()}-00f067aa0ba902b7-01")
    text = page.wait("shadow", "#trace")
    assert GREETER in text and "greeter-v3" in text
    page.open("trace/" + "1" * 32).wait("no call of this trace", "#no-trace")
    page.open("trace/bad").wait("32 hexadecimal digits", "[role=alert]")


def test_a_viewer_cannot_tap(guarded, open_page):  # noqa: F811
    page = open_page(guarded)
    sign_in(page, TOKENS["watcher"])
    page.live().open("calls/greeter").wait("needs the role operator")
    assert page.all("#tap button[disabled]")
    page.run("sessionStorage.clear()")
