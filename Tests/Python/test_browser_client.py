"""`weir-client/browser` in pages in Chromium, whose origins differ from the server's."""

import functools
import http.server
import threading

import pytest

import library
from console_page import browser  # noqa: F401
from conftest import ROOT
from library import SERVICE
from test_transcoding import descriptors  # noqa: F401

SCRIPT = """
const [server, body, done] = arguments;
import("/browser.js").then(async (weir) => {
  const web = new weir.WebClient(server, { headers: { "x-user": "Ada" } });
  const run = new Function("weir", "web", "service", `return (async () => { ${body} })()`);
  done({ result: await run(weir, web, "library.v1.Library") });
}).catch((error) => done({ code: error.code, reason: error.reason, message: error.message }));
"""


class Library(library.Library):
    """`WatchBooks` without an end, until the caller cancels it."""

    cancelled = threading.Event()

    def WatchBooks(self, request, reply, context):
        if request.count:
            yield from super().WatchBooks(request, reply, context)
            return
        ended = threading.Event()
        context.add_callback(ended.set)
        yield reply(name="first")
        ended.wait()
        self.cancelled.set()


@pytest.fixture
def shop(descriptors):  # noqa: F811
    server = Library(descriptors)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def origins():
    """The addresses of two servers of pages, which have the modules of the client."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=ROOT / "clients/node/src")
    servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield [f"http://127.0.0.1:{server.server_port}" for server in servers]
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(mesh, shop, origins, browser):  # noqa: F811
    """Runs a script with the client in a page of an origin; the endpoint allows the first one."""
    mesh.backend("library", "--upstream", shop.address)
    mesh.wait_ready("library")
    mesh.tool("endpoint", "create", "library", "--route", f"/{SERVICE}/", "--backend", "library",
              "--cors-origin", origins[0], "--cors-header", "x-user")

    def run(body, origin=origins[0]):
        browser.get(f"{origin}/errors.js")
        browser.set_script_timeout(20)
        return browser.execute_async_script(SCRIPT, f"http://{mesh.weir.data}", body)

    yield run
    browser.get("about:blank")


BOOK = '{ name: "shelves/1/books/2" }'


def test_a_call_of_another_origin(page, shop):
    found = page(f"""
        const options = {{ shardKey: "user-7", timeout: 5000 }};
        const response = await web.response(`${{service}}/GetBook`, {BOOK}, options);
        return [response.message.title, response.backend];""")
    assert found == {"result": ["Emma", "library"]}
    assert shop.metadata[0]["x-user"] == "Ada"
    assert shop.metadata[0]["x-serve-shard-key"] == "user-7"


def test_an_error_has_its_code_and_reason(page):
    found = page('return await web.call(`${service}/GetBook`, { name: "shelves/1/books/missing" })')
    assert found["code"] == "NOT_FOUND" and found["reason"] == "NO", found
    assert "no book" in found["message"]


def test_the_replies_of_a_stream_arrive(page):
    found = page("""
        const names = [];
        const request = { parent: "shelves/1", count: 3 };
        const books = web.stream(`${service}/WatchBooks`, request);
        for await (const book of books) names.push(book.name);
        return names;""")
    assert found == {"result": [f"shelves/1/books/{index}" for index in range(3)]}


def test_a_stream_ends_with_the_error_of_the_backend(page):
    found = page("""
        const request = { parent: "shelves/1", count: 1, fails: true };
        for await (const _ of web.stream(`${service}/WatchBooks`, request));""")
    assert found["code"] == "RESOURCE_EXHAUSTED" and "no more books" in found["message"], found


@pytest.mark.parametrize("cancel", ["control.abort()", "break"])
def test_the_backend_learns_of_a_cancellation(page, shop, cancel):
    shop.cancelled.clear()
    found = page("""
        const control = new AbortController();
        const call = web.stream(`${service}/WatchBooks`, {}, { signal: control.signal });
        for await (const book of call) { %s; }
        return "left";""" % cancel)
    assert found == {"result": "left"} if cancel == "break" else found["code"] == "CANCELLED"
    assert shop.cancelled.wait(20)


@pytest.mark.parametrize("body", [
    "return await web.call(`${service}/GetBook`, %s)" % BOOK,
    "for await (const _ of web.stream(`${service}/WatchBooks`, { count: 1 }));",
])
def test_a_page_of_an_origin_without_permission_is_refused(page, shop, origins, body):
    found = page(body, origin=origins[1])
    assert found["code"] == "UNAVAILABLE" and "Failed to fetch" in found["message"], found
    # The browser asked first.
    assert not shop.calls


def test_a_header_without_permission_is_refused(page, shop):
    found = page("return await web.call(`${service}/GetBook`, %s, "
                 '{ headers: { "x-other": "1" } })' % BOOK)
    assert found["code"] == "UNAVAILABLE" and not shop.calls
