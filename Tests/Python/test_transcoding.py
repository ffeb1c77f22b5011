"""HTTP with JSON for gRPC methods by `google.api.http`."""

import json
import re
import shlex
import subprocess

import grpc
import pytest
import requests

import library
from conftest import ROOT, wait_for
from library import SERVICE


@pytest.fixture(scope="session")
def descriptors(tmp_path_factory):
    return library.descriptors(tmp_path_factory.mktemp("library"))


@pytest.fixture
def shop(descriptors):
    server = library.Library(descriptors)
    yield server
    server.stop()


@pytest.fixture
def served(mesh, shop):
    """A Weir with the library, whose schema it reads by reflection."""
    serve(mesh, shop)
    return mesh


def serve(mesh, server, name="library", *options):
    mesh.backend(name, "--upstream", server.address, *options)
    mesh.wait_ready(name)
    if name == "library":
        mesh.endpoint("library", f"/{SERVICE}/", name)


def ask(mesh, method, path, **options):
    return requests.request(
        method, f"http://{mesh.weir.data}{path}", timeout=10, **options)


BOOK = "/v1/shelves/1/books/2"


def test_a_book_by_its_path(served, shop):
    reply = ask(served, "GET", BOOK)
    assert reply.status_code == 200, reply.text
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == {"name": BOOK[4:], "title": "Emma", "genre": "NOVEL", "pages": "474",
                            "tags": []}
    assert reply.headers["x-serve-backend"] == "library"
    assert reply.headers["x-initial"] == "1" and reply.headers["x-trailing"] == "2"


def test_a_coding_of_the_body_is_refused(served):
    reply = ask(served, "POST", "/v1/shelves/1/books", data=b"{}",
                headers={"content-type": "application/json", "content-encoding": "br"})
    assert reply.status_code == 415 and reply.headers["accept-encoding"] == "identity"
    assert "content-encoding 'br' is not supported" in reply.json()["message"]


def test_the_backend_is_not_blamed_for_a_clients_metadata(served, shop):
    reply = ask(served, "GET", BOOK, headers={"x-a-bin": "!!!"})
    assert reply.status_code == 400 and "invalid metadata 'x-a-bin'" in reply.json()["message"]
    assert ask(served, "GET", BOOK, headers={"x-a-bin": "AAE,AAE="}).status_code == 200
    assert len(shop.calls) == 1


def test_a_call_without_time_is_not_begun(served, shop):
    for _ in range(5):
        assert ask(served, "GET", BOOK, headers={"grpc-timeout": "0m"}).status_code == 504
    assert not shop.calls


def test_the_parameter_with_the_shard_key_is_not_a_field(mesh, shop):
    mesh.backend("library", "--upstream", shop.address)
    mesh.wait_ready("library")
    mesh.tool("endpoint", "create", "library", "--route", f"/{SERVICE}/", "--backend", "library",
              "--shard-key-query", "user")
    # The first request waits until the schema is read; the second one does not.
    for _ in range(2):
        assert ask(mesh, "GET", f"{BOOK}?user=ann").status_code == 200
        assert shop.metadata[-1]["x-serve-shard-key"] == "ann"
    assert ask(mesh, "GET", f"{BOOK}?other=ann").status_code == 400


@pytest.mark.parametrize("method,path,body,name,request_", [
    ("GET", "/v1/shelves/a%20b/books/%C3%A9", None, "GetBook", {"name": "shelves/a b/books/é"}),
    ("GET", "/v1/files", None, "GetFile", {"name": "files"}),
    ("GET", "/v1/files/a%2Fb/c%20d", None, "GetFile", {"name": "files/a%2Fb/c d"}),
    ("LOCK", "/v1/files/x", None, "GetFile", {"name": "files/x"}),
    ("GET", "/v1/shelves/1/books?pageSize=3&filter.genre=POEM&filter.tags=a&filter.tags=b"
     "&filter.after=2026-01-01T00:00:00Z", None, "ListBooks",
     {"parent": "shelves/1", "page_size": 3, "filter": {
         "genre": 2, "tags": ["a", "b"], "after": {"seconds": 1767225600}}}),
    ("POST", "/v1/shelves/1/books?validate_only=true", {"title": "x", "pages": 7, "box": 0},
     "CreateBook", {"parent": "shelves/1", "validate_only": True,
                    "book": {"title": "x", "pages": 7, "box": 0}}),
    ("PATCH", BOOK + "?updateMask=title,pages", {"title": "x"}, "UpdateBook",
     {"book": {"name": BOOK[4:], "title": "x"}, "update_mask": {"paths": ["title", "pages"]}}),
    ("POST", BOOK + ":move", {"shelf": "9"}, "MoveBook", {"name": BOOK[4:], "shelf": "9"}),
    ("DELETE", BOOK, None, "DeleteBook", {"name": BOOK[4:]}),
    ("PUT", BOOK + "/cover", b"\0\xff", "PutCover",
     {"name": BOOK[4:], "cover": {"content_type": "image/x", "data": b"\0\xff"}}),
])
def test_requests_become_messages(served, shop, method, path, body, name, request_):
    options = {"json": body} if isinstance(body, dict) else {
        "data": body, "headers": {"content-type": "image/x"} if body else {}}
    reply = ask(served, method, path, **options)
    assert reply.status_code == 200, reply.text
    called, message = shop.calls[-1]
    assert (called, message) == (name, type(message)(**request_))


def test_a_stream_of_requests(served, shop):
    for options in ({"json": [{"title": "a"}, {"title": "b"}]},
                    {"data": '{"title": "a"}\n\n{"title": "b"}\n',
                     "headers": {"content-type": "application/x-ndjson"}}):
        reply = ask(served, "POST", "/v1/books:add", **options)
        assert reply.json()["titles"] == ["a", "b"], reply.text


def test_the_fields_and_bodies_of_responses(served):
    assert ask(served, "GET", "/v1/titles").json() == ["Emma", "Persuasion"]
    cover = ask(served, "GET", BOOK + "/cover")
    assert (cover.headers["content-type"], cover.content) == ("image/svg+xml", b"<svg/>")
    head = ask(served, "HEAD", BOOK)
    assert head.status_code == 200 and head.content == b"" and "content-length" in head.headers


@pytest.mark.parametrize("accept,type_,split", [
    ("*/*", "application/json", json.loads),
    ("application/x-ndjson", "application/x-ndjson",
     lambda text: [json.loads(line) for line in text.splitlines()]),
    ("text/event-stream", "text/event-stream",
     lambda text: [json.loads(event.removeprefix("data: ")) for event in text.split("\n\n")[:-1]]),
])
def test_streams_of_responses(served, accept, type_, split):
    def stream(query):
        reply = ask(served, "GET", f"/v1/shelves/1/books:watch?{query}",
                    headers={"accept": accept})
        return reply, reply.text

    reply, text = stream("count=3")
    assert reply.status_code == 200 and reply.headers["content-type"] == type_
    assert [book["name"] for book in split(text)] == [f"shelves/1/books/{i}" for i in range(3)]
    reply, text = stream("count=0")
    assert split(text) == [] if type_ == "application/json" else text == ""
    reply, text = stream("count=0&fails=true")
    assert reply.status_code == 429 and reply.json()["message"] == "no more books"
    reply, text = stream("count=2&fails=true")
    assert reply.status_code == 200
    *books, last = split(text)
    assert len(books) == 2 and last["error"]["code"] == 8
    assert last["error"]["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"


def test_a_failure_has_its_http_status_and_its_details(served):
    reply = ask(served, "GET", "/v1/shelves/1/books/missing")
    assert reply.status_code == 404
    assert reply.json()["code"] == 5
    assert reply.json()["message"] == "no book shelves/1/books/missing"
    assert reply.json()["details"][0]["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert "grpc-status-details-bin" not in reply.headers


@pytest.mark.parametrize("method,path,options,status,text", [
    ("GET", BOOK + "?x=1", {}, 400, "query parameter 'x' is not a field"),
    ("GET", "/v1/shelves/1/books?page_size=x", {}, 400, "field page_size must be a whole number"),
    ("GET", "/v1/shelves/1/books?filter=1", {}, 400, "is a message"),
    ("GET", "/v1/shelves/1/books?parent=x", {}, 400, "the path contains the field"),
    ("POST", BOOK + ":move", {"json": {"shelf": 1}}, 400, "field shelf must be a string"),
    ("POST", BOOK + ":move?shelf=1", {"json": {}}, 400, "the body contains all"),
    ("POST", BOOK + ":move", {"data": "{"}, 400, "line 1, column 2"),
    ("POST", BOOK + ":move", {"data": "{}", "headers": {"content-type": "text/plain"}}, 415,
     "must be application/json"),
    ("POST", BOOK + ":move", {"json": {"shelf": "x" * (5 << 20)}}, 413, "max-message-bytes"),
    ("DELETE", BOOK, {"json": {"a": 1}}, 400, "has no body here"),
    # The stream may be endless.
    ("HEAD", "/v1/shelves/1/books:watch", {}, 405, "GET, OPTIONS"),
    ("PUT", "/v1/shelves/1/books:watch", {}, 405, "GET, OPTIONS"),
    ("PUT", BOOK, {}, 405, "DELETE, GET, HEAD, OPTIONS, PATCH"),
    ("GET", "/v1/nothing", {}, 404, "/v1/nothing"),
])
def test_invalid_requests_state_the_reason(served, shop, method, path, options, status, text):
    reply = ask(served, method, path, **options)
    assert reply.status_code == status, reply.text
    assert text in reply.text or method == "HEAD"
    assert reply.headers["content-type"] == "application/json"
    assert not shop.calls
    if status == 405:
        assert reply.headers["allow"] == text


def test_the_methods_of_a_path(served):
    reply = ask(served, "OPTIONS", BOOK)
    assert reply.status_code == 204
    assert reply.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, PATCH"


def test_shard_keys_weights_shadows_deadlines_and_metrics_apply(served, shop, descriptors):
    other = library.Library(descriptors)
    try:
        serve(served, other, "library-v2")
        served.tool("traffic", "set", "library", "library=0.5", "library-v2=0.5")
        key = {"x-serve-shard-key": "user-7"}
        chosen = {ask(served, "GET", BOOK, headers=key).headers["x-serve-backend"]
                  for _ in range(10)}
        assert len(chosen) == 1
        found = {ask(served, "GET", BOOK).headers["x-serve-backend"] for _ in range(50)}
        assert found == {"library", "library-v2"}
        served.tool("traffic", "set", "library", "library=1", "library-v2=0")
        served.tool("shadow", "set", "library", "library-v2=1")
        before = len(other.calls)
        ask(served, "GET", BOOK, headers={"grpc-timeout": "5S", "authorization": "Bearer x"})
        wait_for(lambda: len(other.calls) == before + 1)
        assert other.metadata[-1]["x-serve-shadow"] == "1"
        assert shop.metadata[-1]["authorization"] == "Bearer x"
        metrics = requests.get(f"http://{served.weir.admin}/metrics", timeout=10).text
        assert "library.v1.Library/GetBook" in metrics
    finally:
        other.stop()


def test_the_schema_of_the_chosen_backend_counts(served, shop, descriptors, tmp_path):
    text = (ROOT / "Tests/Protos/library.proto").read_text()
    changed = text.replace("int64 pages = 4;", "int64 pages = 4; string motto = 9;").replace(
        "string name = 1;\n}\n\nmessage ListRequest",
        "string name = 1; string language = 2;\n}\n\nmessage ListRequest")
    assert changed.count("motto") == changed.count("language") == 1
    (tmp_path / "library.proto").write_text(changed)
    canary = library.Library(library.descriptors(tmp_path, tmp_path / "library.proto"))
    try:
        serve(served, canary, "canary")
        served.tool("traffic", "set", "library", "library=0", "canary=1")
        reply = ask(served, "GET", BOOK + "?language=de")
        assert reply.status_code == 200 and reply.json()["motto"] == "", reply.text
        assert canary.calls[-1][1].language == "de"
        served.tool("traffic", "set", "library", "library=1", "canary=0")
        reply = ask(served, "GET", BOOK + "?language=de")
        assert reply.status_code == 400 and "'language' is not a field" in reply.text
    finally:
        canary.stop()


def test_a_descriptor_set_gives_the_bindings(mesh, descriptors):
    server = library.Library(descriptors, has_reflection=False)
    try:
        serve(mesh, server, "library", "--descriptor-set", str(descriptors))
        assert ask(mesh, "GET", BOOK).json()["title"] == "Emma"
    finally:
        server.stop()


def test_without_a_schema_a_path_is_unknown(mesh, descriptors):
    server = library.Library(descriptors, has_reflection=False)
    try:
        serve(mesh, server)
        assert ask(mesh, "GET", BOOK).status_code == 404
    finally:
        server.stop()


def conflicting(descriptors, tmp_path, old, new):
    text = (ROOT / "Tests/Protos/library.proto").read_text()
    assert old in text
    (tmp_path / "library.proto").write_text(text.replace(old, new, 1))
    return library.descriptors(tmp_path, tmp_path / "library.proto")


def test_conflicts_within_a_schema_are_rejected(mesh, descriptors, tmp_path):
    path = conflicting(
        descriptors, tmp_path, 'get: "/v1/titles"', 'get: "/v1/{parent=shelves/*/books/*}"')
    run = mesh.tool("backend", "create", "a", "--upstream", "127.0.0.1:1", "--descriptor-set",
                    str(path), check=False)
    assert run.returncode != 0
    assert "/library.v1.Library/GetBook" in run.stderr
    assert "/library.v1.Library/ListBooks" in run.stderr
    path = conflicting(descriptors, tmp_path, "/v1/titles", "/v1/**/x")
    run = mesh.tool("backend", "create", "a", "--upstream", "127.0.0.1:1", "--descriptor-set",
                    str(path), check=False)
    assert run.returncode != 0 and "'**' must be the last segment" in run.stderr


def test_conflicts_with_routes_are_rejected(mesh, descriptors):
    mesh.backend("library", "--upstream", "127.0.0.1:1", "--descriptor-set", str(descriptors),
                 "--wait", "0")
    mesh.backend("plain", "--upstream", "127.0.0.1:1", "--wait", "0")
    mesh.endpoint("library", f"/{SERVICE}/", "library")
    # A prefix of the literals of all templates.
    mesh.endpoint("root", "/", "plain")
    run = mesh.tool("endpoint", "create", "titles", "--route", "/v1/titles", "--backend", "plain",
                    check=False)
    assert run.returncode != 0
    assert "'titles'" in run.stderr
    assert "'GET /v1/titles' of /library.v1.Library/ListBooks" in run.stderr
    # The same in the other order.
    mesh.tool("endpoint", "delete", "library")
    mesh.endpoint("titles", "/v1/titles", "plain")
    run = mesh.tool("endpoint", "create", "library", "--route", f"/{SERVICE}/", "--backend",
                    "library", check=False)
    assert run.returncode != 0 and "'titles'" in run.stderr


def test_plain_http_routes_and_grpc_keep_working(served, stubs):
    assert ask(served, "GET", "/-/routes").status_code == 200
    with grpc.insecure_channel(served.weir.data) as channel:
        call = channel.unary_unary(f"/{SERVICE}/Ping")
        assert call(b"", timeout=10) == b""


# The manual


def test_the_examples_of_the_manual(served):
    page = (ROOT / "Sources/Weir/Weir.docc/Transcoding.md").read_text()
    examples = re.findall(r"^\$ (curl .*)\n((?:[^$`].*\n)*)", page, re.MULTILINE)
    assert len(examples) >= 5
    for command, shown in examples:
        words = shlex.split(command.replace("127.0.0.1:8000", served.weir.data))
        done = subprocess.run([*words[:1], "-sS", "-m", "10", *words[1:]], capture_output=True,
                              text=True, check=True)
        assert done.stdout.split() == shown.split(), command


def test_the_page_quotes_the_file():
    page = (ROOT / "Sources/Weir/Weir.docc/Transcoding.md").read_text()
    proto = (ROOT / "Tests/Protos/library.proto").read_text()
    for text in re.findall(r"```proto\n(.*?)```", page, re.DOTALL):
        lines = [line.strip() for line in text.splitlines()]
        assert "\n".join(lines) in "\n".join(line.strip() for line in proto.splitlines())


def test_scripts_can_read_why_a_method_of_http_is_refused(mesh, shop):
    mesh.backend("library", "--upstream", shop.address)
    mesh.wait_ready("library")
    mesh.tool("endpoint", "create", "library", "--route", f"/{SERVICE}/", "--backend", "library",
              "--cors-origin", "https://app.example")
    reply = ask(mesh, "PUT", BOOK, headers={"origin": "https://app.example"})
    assert reply.status_code == 405
    assert reply.headers["access-control-allow-origin"] == "https://app.example"
