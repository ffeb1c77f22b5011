"""The console: roles, attacks from other pages, hostile values."""

import http.client
import json
import re
import subprocess

import grpc
import pytest

import web
from conftest import BUILD, start_demo, start_weir, tool
from console_page import FILES, browser, greetings, open_page  # noqa: F401
from test_access import TOKENS, line, write
from waiting import PATIENCE, polled, stays

ADMIN = "/weir.admin.v1.Admin/"


# Files and requests, without a browser.


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def client(request, fixture_server):
    client = request.param(fixture_server.admin)
    yield client
    client.close()


def test_the_console_has_headers_against_other_pages(client):
    response = client.ask("GET", "/")
    assert response.status == 200 and response.fields["content-type"] == "text/html; charset=utf-8"
    policy = response.fields["content-security-policy"].split("; ")
    assert {"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
    assert response.fields["x-content-type-options"] == "nosniff"
    assert response.fields["cross-origin-resource-policy"] == "same-origin"
    page = response.body.decode()
    assert "<script type=\"module\" src=" in page and not re.search(r"<script[^>]*>[^<]", page)
    assert " style=" not in page and "http://" not in page and "https://" not in page
    tag = response.fields["etag"]
    assert client.ask("GET", "/", {"if-none-match": tag}).status == 304
    assert client.ask("HEAD", "/").body == b""
    zipped = client.ask("GET", "/console/app.js", {"accept-encoding": "gzip"})
    assert zipped.fields["content-encoding"] == "gzip" and zipped.fields["etag"] != tag
    assert client.ask("POST", "/", {}, b"").status == 405
    # The other paths of the port stay.
    assert client.ask("GET", "/healthz").body == b"ok\n"
    assert b"weir_revision" in client.ask("GET", "/metrics").body
    missing = client.ask("GET", "/console/missing.js")
    assert missing.status == 404 and b"use / for the console" in missing.body


def test_only_the_host_of_the_server_gets_the_console(fixture_server):
    host, port = fixture_server.admin.rsplit(":", 1)
    for name, status in (("evil.example", 421), ("evil.example:" + port, 421), (host, 200),
                         ("localhost", 200)):
        connection = http.client.HTTPConnection(host, int(port))
        connection.request("GET", "/", headers={"host": name})
        assert connection.getresponse().status == status, name
        connection.close()


def set_traffic(client, origin=None, kind="application/json", method="POST", target=""):
    body = json.dumps({"endpoint": "missing", "weights": []}).encode()
    fields = {"content-type": kind, **({"origin": origin} if origin else {})}
    return client.ask(method, ADMIN + "SetTraffic" + target, fields,
                      body if method == "POST" else None)


def test_a_script_of_another_origin_changes_nothing(client, fixture_server):
    host = "a" if client.version == "HTTP/2" else fixture_server.admin
    for origin in (None, f"http://{host}", f"https://{host}", f"HTTP://{host.upper()}"):
        assert set_traffic(client, origin).json["code"] == "not_found", origin
    for origin in ("null", "http://evil.example", f"http://{host}.evil.example", "http://", host,
                   f"http://{host}:1", f"http://x@{host}", f"http://{host}/", "file://"):
        response = set_traffic(client, origin)
        assert response.status == 403 and "origin" in response.body.decode(), origin
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
                 "text/plain; charset=utf-8", "text/plain;application/json"):
        assert set_traffic(client, None, kind).status == 415, kind
    # A preflight allows nothing.
    response = client.ask("OPTIONS", ADMIN + "SetTraffic", {
        "origin": "http://evil.example", "access-control-request-method": "POST"})
    assert not [name for name in response.fields if name.startswith("access-control-")]


def test_get_changes_nothing(client):
    message = "%7B%22endpoint%22%3A%22missing%22%7D"
    for method in ("SetTraffic", "Rollback", "AbortRollout", "ShadowTraffic", "Apply",
                   "ListEndpoints"):
        response = client.ask(
            "GET", f"{ADMIN}{method}?connect=v1&encoding=json&message={message}")
        assert response.status in (405, 501), (method, response)


def test_a_configured_origin_may_call():
    server = start_weir("--admin-cors-origin", "https://desk.example")
    client = web.HTTP1(server.admin)
    assert set_traffic(client, "https://desk.example").json["code"] == "not_found"
    assert set_traffic(client, "https://other.example").status == 403
    client.close()
    assert server.stop() == 0


def test_the_console_can_be_switched_off():
    server = start_weir("--no-console")
    assert "console" not in json.loads(server.first_line)
    client = web.HTTP1(server.admin)
    for path in ("/", "/console/app.js"):
        response = client.ask("GET", path)
        assert response.status == 404 and b"the console is switched off" in response.body
    assert client.ask("GET", "/healthz").status == 200
    client.close()
    assert server.stop() == 0


# Roles.


@pytest.fixture
def guarded(tmp_path):
    path = write(tmp_path / "access", line("root", "admin") + line("bot", "operator:greeter")
                 + line("watcher", "viewer"))
    server = start_demo("--access", str(path))
    server.access = path
    yield server
    assert server.stop() == 0


def sign_in(page, token):
    page.wait("Sign in")
    (field,) = page.all("#token")
    field.send_keys(token + "\n")


CHANGES = """
const done = arguments[arguments.length - 1];
fetch("/weir.admin.v1.Admin/SetTraffic", {
  method: "POST",
  headers: {"content-type": "application/json", authorization: "Bearer " + arguments[1]},
  body: JSON.stringify({endpoint: arguments[0], weights: [{backend: "greeter-v1", weight: 1}]}),
}).then(async (response) => done(response.status + " " + await response.text()));
"""


def test_each_role_gets_its_actions(guarded, open_page):
    root = {"WEIR_TOKEN": TOKENS["root"]}
    run = subprocess.run(
        [BUILD / "weir", "endpoint", "create", "other", "--route", "/other.Service/", "--backend",
         "greeter-v1", "--admin", guarded.admin], env=root, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    page = open_page(guarded)
    sign_in(page, "weir_wrong")
    page.wait("no entry for this token")
    sign_in(page, TOKENS["watcher"])
    page.live().wait("greeter", "#endpoints")
    assert "watcher, viewer" in page.text("header") and page.buttons() == []
    page.open("endpoint/greeter").wait("You may view this endpoint, but not change it")
    assert page.buttons() == []
    # The server decides.
    answer = page.browser.execute_async_script(CHANGES, "greeter", TOKENS["watcher"])
    assert answer.startswith("403") and "viewer" in answer
    # The token is in this tab only: neither in an address, nor in a store of other tabs.
    assert page.run("return [localStorage.length, document.cookie]") == [0, ""]
    assert page.run("return Object.values(sessionStorage)") == [TOKENS["watcher"]]
    page.browser.refresh()
    page.live()
    page.press("Sign out", "header")
    page.wait("Sign in")
    assert page.run("return Object.values(sessionStorage)") == []
    assert "greeter" not in page.text("main")
    sign_in(page, TOKENS["bot"])
    page.live().wait("Set traffic …")
    page.open("endpoint/other").wait("You may view this endpoint, but not change it")
    answer = page.browser.execute_async_script(CHANGES, "other", TOKENS["bot"])
    assert answer.startswith("403") and "not of other" in answer
    page.open("endpoint/greeter").press("Set traffic …")
    page.fill("[aria-label='weight of greeter-v2 in percent']", "50")
    page.confirm("Set traffic")
    page.wait("by bot", ".last")
    page.open("fleet").wait("memory:")
    assert "Freeze all changes …" not in page.buttons()
    urls = page.requested()
    assert urls and not [url for url in urls if "weir_" in url or "token" in url.lower()]
    page.press("Sign out", "header")
    sign_in(page, TOKENS["root"])
    page.live().wait("root, admin", "header")
    page.open("endpoint/other").wait("Set traffic …")


def test_each_action_is_a_revision_under_the_callers_name(guarded, open_page):
    """Each has a dry run first, which changes nothing, and a comment."""
    def history(after=0):
        run = subprocess.run([BUILD / "weir", "history", "--json", "--admin", guarded.admin],
                             env={"WEIR_TOKEN": TOKENS["root"]}, capture_output=True, text=True)
        return [each for each in json.loads(run.stdout)["revisions"]
                if int(each["revision"]) > after]

    def act(label, confirm, shown, *fills, scope="main"):
        before = int(history()[0]["revision"])
        page.press(label, scope)
        for selector, value in fills:
            page.fill(selector, value)
        page.wait(shown, "dialog .preview")
        assert not [each for each in history(before) if each["author"] == page.user], label
        (comment,) = page.all("dialog textarea")
        comment.send_keys(f"because of {label}")
        page.confirm(confirm)
        polled(lambda: [each for each in history(before) if each["author"] == page.user],
               lambda made: len(made) == 1 and made[0]["comment"] == f"because of {label}")

    page = open_page(guarded, "endpoint/greeter")
    page.user = "bot"
    with greetings(guarded):
        sign_in(page, TOKENS["bot"])
        page.live().wait("Set traffic …")
        act("Set traffic …", "Set traffic", "40.0 % of all shard keys",
            ("[aria-label='weight of greeter-v2 in percent']", "50"))
        act("Undo …", "Undo", "40.0 % of all shard keys")
        act("Set traffic …", "Set traffic", "10.0 % of all shard keys",
            ("[aria-label='weight of greeter-v2 in percent']", "0"))
        act("Shadow …", "Set shadow", "receives a copy", ("[name=backend]", "greeter-v3"))
        act("Rate limit …", "Set rate limit", "At most 5,000 requests", ("[name=limit]", "5000"))
        act("Start rollout …", "Start rollout", "keys that move",
            ("[name=candidate]", "greeter-v2"), ("[name=steps]", "20%, 50%"))
        act("Pause …", "Pause", "automatic changes stop", scope="#rollout")
        act("Resume …", "Resume", "continues", scope="#rollout")
        act("Advance …", "Advance", "next step", scope="#rollout")
        act("Abort …", "Abort", "return to those before", scope="#rollout")
        page.wait("aborted", "#rollout .phase")
        act("Start rollout …", "Start rollout", "keys that move",
            ("[name=candidate]", "greeter-v2"), ("[name=steps]", "20%, 50%"))
        act("Promote …", "Promote", "then 100 %", scope="#rollout")
        # The history shows the name and the comment.
        text = page.wait("because of Promote …", "#endpoint-history")
        assert "bot" in text
    page.press("Sign out", "header")
    sign_in(page, TOKENS["root"])
    page.live().open("fleet").wait("Freeze all changes …")
    page.user = "root"
    act("Freeze all changes …", "Freeze", "rejects all changes", ("[name=reason]", "incident"))
    act("End the freeze …", "End freeze", "accepts changes again")
    page.run("sessionStorage.clear()")


def test_a_token_is_neither_in_a_log_nor_sent_if_it_is_invalid(guarded, open_page, capfd):
    page = open_page(guarded)
    sign_in(page, "not a token \u00e9\u2026")
    page.wait("only ASCII characters")
    assert page.run("return sessionStorage.length") == 0
    sign_in(page, TOKENS["watcher"])
    page.live().wait("greeter", "#endpoints")
    sign = page.run("return document.documentElement.outerHTML")
    assert TOKENS["watcher"] not in sign
    entries = "".join(entry["message"] for entry in page.browser.get_log("browser"))
    assert "weir_" not in entries
    page.run("sessionStorage.clear()")
    page.browser.get("about:blank")
    guarded.stop()
    assert not any(token in guarded.process.stderr.read() for token in TOKENS.values())


def test_another_user_of_the_tab_sees_nothing_of_the_first(guarded, open_page):
    page = open_page(guarded, "calls/greeter")
    sign_in(page, TOKENS["bot"])
    page.live().wait("Endpoint", "#tap")
    page.press("Watch")
    with greetings(guarded):
        page.wait("OK", "#calls")
    write(guarded.access, line("root", "admin") + line("watcher", "viewer"))
    page.wait("Sign in")
    sign_in(page, TOKENS["watcher"])
    page.live().wait("needs the role operator")
    assert not page.all("#calls")
    page.run("sessionStorage.clear()")


def test_a_role_that_changes_changes_the_page(guarded, open_page):
    page = open_page(guarded, "endpoint/greeter")
    sign_in(page, TOKENS["bot"])
    page.live().wait("Set traffic …")
    write(guarded.access, line("root", "admin") + line("bot", "viewer"))
    page.wait("You may view this endpoint, but not change it", "main", 20 * PATIENCE)
    assert page.buttons() == [] and "bot, viewer" in page.text("header")
    page.run("sessionStorage.clear()")


def test_a_revoked_token_ends_the_page(guarded, open_page):
    page = open_page(guarded, "endpoint/greeter")
    sign_in(page, TOKENS["bot"])
    page.live().press("Set traffic …")
    page.wait("has these weights already", "dialog .preview")
    write(guarded.access, line("root", "admin"))
    page.wait("Sign in")
    page.gone("dialog")
    assert "no entry for this token" in page.text("main") and not page.all("#endpoints")
    page.run("sessionStorage.clear()")


# Hostile names and values.


HOSTILE = "<img src=x onerror=window.hacked=1><script>window.hacked=1</script>\"'&amp;"
# Marks that reorder the text after them, and one without a width.
REVERSED = "a\u202eb\u2066c\u200bd"


def test_values_are_text(demo, stubs, open_page):
    name, backend = "n" * 128, "b" * 128
    tool(demo, "backend", "create", backend, "--upstream", "127.0.0.1:1", "--description", HOSTILE)
    tool(demo, "endpoint", "create", name, "--route", "/hostile.Service/", "--backend", backend,
         "--comment", HOSTILE, "--author", HOSTILE[:60])
    tool(demo, "shadow", "set", "greeter", "greeter-v3=1")
    with grpc.insecure_channel(demo.data) as channel:
        greet = stubs.hello_grpc.GreeterStub(channel)
        for _ in range(20):
            greet.SayHello(stubs.hello.HelloRequest(name=HOSTILE + REVERSED), timeout=10)
    page = open_page(demo).live()
    page.wait(name, "#endpoints")
    page.wait(f"{backend} is not usable", "#endpoints")
    page.open(f"endpoint/{name}").wait(HOSTILE, ".last")
    page.wait(HOSTILE, "#endpoint-history")
    page.open("history").wait(HOSTILE, "#history")
    page.open("history/5").wait(HOSTILE, "#revision")
    page.open("endpoint/greeter").wait("<img src=x onerror=", "#shadows")
    text = page.run("return document.body.textContent")
    assert not set("\u202e\u2066\u200b") & set(text) and "U+202E" in text
    for path in ("endpoint/%3Cimg%20src=x%20onerror=window.hacked=1%3E", "endpoint/%", "history/-1",
                 "history/99999999999999999999", "nothing", "endpoint/__proto__"):
        page.open(path).live()
        assert stays(lambda: page.run("return window.hacked === undefined"), 0.2), path
    assert page.run("return document.querySelectorAll('main img, main script').length") == 0


def test_the_modules_have_no_third_party_and_no_markup():
    for path in FILES.iterdir():
        text = path.read_text()
        for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(",
                     "localStorage", "new Function", "DOMParser"):
            assert word not in text, (path.name, word)
        addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, (path.name, addresses)
