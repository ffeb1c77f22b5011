"""What a Python backend receives, and what it may return."""

import asyncio
import json
import urllib.parse

import numpy
import pydantic
import pytest
import requests

import weir
from conftest import start_weir


class Point(pydantic.BaseModel):
    x: int
    y: float = 0.5


class Odd:
    """A class without a JSON form."""

    def __init__(self, value):
        self.value = value

    def __eq__(self, other):
        return self.value == other.value


@pytest.fixture(scope="module")
def server():
    server = start_weir()
    yield server
    assert server.stop() == 0, server.process.stderr.read()[-30000:]


@pytest.fixture
def serve(server):
    """Serves a function or a class; returns a handle and the URL of its endpoint."""
    with weir.connect(server.admin) as client:
        def serve(target, *init_args, **options):
            client.create_backend("it", target, *init_args, **options)
            client.create_endpoint("it", backend="it", route="/it")
            return client.get_handle("it"), f"http://{client.data_address}/it"

        yield serve


def test_args_have_all_values_of_a_query(serve):
    _, url = serve(lambda request: [
        request.args["a"], request.args.getlist("a"), request.args.get("n", type=int),
        request.args.get("n", 7, type=int), request.args.get("none", "no"), "none" in request.args,
        request.args.getlist("a", type=int), request.query_params["a"]])
    assert requests.get(f"{url}?a=1&a=2&n=x", timeout=10).json() == [
        "1", ["1", "2"], None, 7, "no", False, [1, 2], "2"]


def test_the_arguments_of_a_handle_keep_their_types(serve):
    kinds = {}

    def backend(request):
        kinds.update({name: type(value) for name, value in request.args.items()})
        return [dict(request.args, raw=None), request.args.getlist("names"),
                dict(request.query_params), request.args["raw"].decode("latin-1")]

    handle, _ = serve(backend)
    given = {"count": 3, "share": 0.5, "on": True, "none": None, "text": "ü&=\n",
             "names": ["a", "b"], "nested": {"k": [1, None]},
             "array": numpy.arange(3), "point": Point(x=1)}
    values, names, query, raw = handle.remote(raw=b"\xff", **given).result()
    assert values == {**given, "array": [0, 1, 2], "point": {"x": 1, "y": 0.5}, "raw": None}
    assert (names, raw) == (["a", "b"], "ÿ")
    assert kinds["count"] is int and kinds["on"] is bool and kinds["raw"] is bytes
    assert query == {"count": "3", "share": "0.5", "on": "True", "none": "None", "text": "ü&=\n"}


def test_an_argument_may_have_any_name(serve):
    handle, _ = serve(lambda request: [request.data, dict(request.args)])
    assert handle.remote(request_data=1).result() == [1, {}]
    assert handle.remote(2, data=3, name=4).result() == [2, {"data": 3, "name": 4}]


class Json:
    """Uses `request.json` in the three ways, of the value 7 too."""

    def property(self, request):
        return [request.json, request.json == request.data, bool(request.json)]

    def call(self, request):
        return [request.json(), request.json() == request.data, bool(request.json())]

    async def awaited(self, request):
        value = await request.json()
        return [value, type(value) in (dict, list, str, int, float, bool, type(None))
                or type(value).__mro__[2] in (dict, list, str, int, float),
                bool(await request.json)]

    def __call__(self, request):
        return None


@pytest.mark.parametrize("value", [
    {"a": [1, {"b": None}]}, {}, [1, 2], [], "text", "", 7, 0, -1.5, True, False, None, 2**70])
def test_json_is_a_property_and_a_call_and_can_be_awaited(serve, value):
    handle, url = serve(Json)
    for method in ("property", "call", "awaited"):
        for http in (False, True):
            if http:
                got = requests.post(
                    url, json=value, timeout=10, headers={"X-SERVE-CALL-METHOD": method},
                    data=None if value is not None and value != {} else json.dumps(value)).json()
                if value in (None, {}) and method != "awaited":
                    # Without a media type, `data` is not the JSON value.
                    got[1] = True
            else:
                got = handle.options(method).remote(
                    value if not isinstance(value, str) else json.dumps(value)).result()
                got[1] = True
            assert got == [value, True, bool(value)], (method, http)


def test_forms(serve):
    _, url = serve(lambda request: [dict(request.form), request.form.getlist("a")])
    posted = requests.post(url, data=[("a", "1"), ("a", "ü"), ("b", "")], timeout=10)
    assert posted.json() == [{"a": "1", "b": ""}, ["1", "ü"]]
    parts = {"a": (None, "1"), "file": ("name.txt", b"content")}
    assert requests.post(url, files=parts, timeout=10).json() == [{"a": "1"}, ["1"]]
    assert requests.post(url, json={"a": 1}, timeout=10).json() == [{}, []]
    broken = requests.post(url, data=b"--x\r\n", timeout=10,
                           headers={"content-type": "multipart/form-data; boundary"})
    assert broken.json() == [{}, []]


def test_a_form_of_a_handle_is_its_dictionary(serve):
    handle, _ = serve(lambda request: dict(request.form))
    assert handle.remote({"a": [1]}).result() == {"a": [1]}
    assert handle.remote("text").result() == {}


def test_the_body_and_the_method_and_the_headers(serve):
    handle, url = serve(lambda request: [
        repr(request.data), request.method, request.headers.get("X-Custom"),
        "x-custom" in request.headers, request.headers.getlist("X-CUSTOM"),
        request.headers.get("no")])
    # An HTTP body without a media type is bytes, as in Flask.
    posted = requests.post(url, data="hey!", headers={"x-CUSTOM": "1"}, timeout=10).json()
    assert posted == ["b'hey!'", "POST", "1", True, ["1"], None]
    assert requests.get(url, timeout=10).json() == ["None", "GET", None, False, [], None]
    assert requests.put(url, b"\xff", timeout=10).json()[:2] == ["b'\\xff'", "PUT"]
    assert handle.remote().result()[:2] == ["None", "GET"]
    handle = handle.options(http_method="PUT", http_headers={"X-CUSTOM": "2"})
    assert handle.remote([1]).result() == ["[1]", "PUT", "2", True, ["2"], None]


@pytest.mark.parametrize("kind, body, expected", [
    ("text/plain; charset=latin-1", b"\xfc", "ü"),
    ('text/plain; charset="latin-1"; format=flowed', b"\xfc", "ü"),
    ("text/plain; format=flowed; CHARSET = utf-8", "ü".encode(), "ü"),
    ("text/plain; charset=unknown", "ü".encode(), "ü"),
    ("text/plain; charset=hex", b"61", "61"),
    ("text/plain; charset=idna", b"a", "a"),
    ("text/plain; charset=undefined", b"a", "a"),
    ("text/plain; charset=", b"a", "a"),
    ("text/plain; charset=utf-8", b"\xff", "\ufffd"),
    ("text/plain; x", b"a", "a"),
    ("application/json; charset=unknown; x", b"[1]", [1]),
    ("APPLICATION/PROBLEM+JSON", b'{"a": 1}', {"a": 1}),
])
def test_media_types_with_any_parameters(serve, kind, body, expected):
    _, url = serve(lambda request: {"data": request.data})
    posted = requests.post(url, data=body, headers={"content-type": kind}, timeout=10)
    assert posted.json() == {"data": expected}


@pytest.mark.parametrize("body", [b"{", b"[" * 100_000, b"\xff", b"nul"])
def test_invalid_json_is_the_fault_of_the_client(serve, body):
    handle, url = serve(lambda request: request.json["a"])
    posted = requests.post(url, data=body, timeout=10)
    assert posted.status_code == 400 and "not valid JSON" in posted.json()["message"]


@pytest.mark.parametrize("value, expected", [
    (numpy.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    (numpy.float32(0.5), 0.5),
    ({"a": numpy.int64(3), "b": (1, numpy.bool_(True))}, {"a": 3, "b": [1, True]}),
    (Point(x=1), {"x": 1, "y": 0.5}),
    ([Point(x=1, y=2)], [{"x": 1, "y": 2.0}]),
    (b"\x00\xff", b"\x00\xff"),
    (bytearray(b"ab"), b"ab"),
    ({"text": "ü".encode()}, {"text": "ü"}),
    ("\ud800", "?"),
    (["\ud800"], ["\ud800"]),
    (float(2**60), float(2**60)),
])
def test_values_of_results_and_arguments(serve, value, expected):
    seen = []

    def backend(request):
        seen.append(request.data)
        return value

    handle, _ = serve(backend)
    assert handle.remote(value).result() == expected
    assert seen == [expected]


@pytest.mark.parametrize("value, message", [
    (float("nan"), "the value is NaN or infinite; use null or text instead"),
    ({"scores": [0.5, float("inf")]}, "the value['scores'][1] is NaN or infinite"),
    (numpy.array([1.0, numpy.nan]), "the value[1] is NaN or infinite"),
    (Odd(1), "an object of type Odd is not JSON"),
    ({"a": b"\xff"}, "not UTF-8"),
    ({(1, 2): 3}, "keys must be str"),
])
def test_values_that_cannot_be_sent(serve, value, message, caplog):
    handle, url = serve(lambda request: value)
    with pytest.raises(weir.BackendFailed) as failed:
        handle.remote().result()
    assert failed.value.message.startswith("the backend failed: the value has no JSON form: ")
    assert message in failed.value.message and message in caplog.text
    response = requests.get(url, timeout=10)
    assert response.status_code == 500 and message in response.json()["message"]
    for send in (lambda: handle.remote(value), lambda: handle.remote(key=value)):
        with pytest.raises(TypeError) as refused:
            send()
        assert message in str(refused.value) and isinstance(refused.value, ValueError)


def test_values_nested_too_deeply(serve):
    nested = []
    for _ in range(100_000):
        nested = [nested]
    handle, _ = serve(lambda request: nested)
    with pytest.raises(weir.BackendFailed, match="nested too deeply"):
        handle.remote().result()
    with pytest.raises(weir.EncodingError, match="nested too deeply"):
        handle.remote(nested)


def test_a_response_may_have_any_value(serve):
    handle, url = serve(lambda request: weir.Response(
        {"a": 1}, status=202, headers={"x-count": 3}))
    response = requests.get(url, timeout=10)
    assert (response.status_code, response.json(), response.headers["x-count"]) == (
        202, {"a": 1}, "3")
    assert response.headers["content-type"] == "application/json"
    assert handle.remote().response().data == {"a": 1}


@pytest.mark.parametrize("target", [lambda request: [request.data, request.args["key"], Odd(3)]])
def test_pickled_values_need_both_sides(serve, target):
    handle, url = serve(target, serializer="pickle")
    pickled = handle.options(serializer="pickle")
    assert pickled.remote(Odd(1), key={2}).result() == [Odd(1), {2}, Odd(3)]
    # A result without a pickled argument is JSON.
    with pytest.raises(weir.BackendFailed, match="an object of type Odd is not JSON"):
        handle.remote(1, key=2).result()
    with pytest.raises(TypeError, match="serializer='pickle' for the backend and the handle"):
        handle.remote(Odd(1))


def test_pickled_values_are_off_by_default(serve):
    handle, url = serve(lambda request: repr(request.data))
    with pytest.raises(weir.InvalidArgument, match="use serializer='pickle' for the backend"):
        handle.options(serializer="pickle").remote(Odd(1)).result()
    with pytest.raises(ValueError, match="use 'pickle'"):
        handle.options(serializer="json")


def test_pickled_values_are_never_accepted_over_http(serve):
    handle, url = serve(lambda request: repr(request.data), serializer="pickle")
    assert handle.options(serializer="pickle").remote(1).result() == "1"
    body = weir.payload.encode(1, "pickle")[0]
    posted = requests.post(
        url, data=body, headers={"content-type": "application/x-python-pickle"}, timeout=10)
    assert posted.status_code == 400 and "pickled" in posted.json()["message"]


def test_a_message_of_an_error_may_be_any_text(serve):
    texts = {
        "surrogate": "a \ud800 b", "long": "ü" * 100_000, "control": "a\r\nb\x00", "empty": ""}

    def backend(request):
        raise weir.NotFound(texts[request.data])

    handle, url = serve(backend)
    expected = {"surrogate": "a \\ud800 b", "control": "a\r\nb\x00", "empty": "NOT_FOUND"}
    for name in texts:
        with pytest.raises(weir.NotFound) as failed:
            handle.remote(name).result()
        assert failed.value.message == expected.get(name, "ü" * 1_024 + "…")
        posted = requests.post(url, json=name, timeout=10)
        assert posted.status_code == 404


def test_ray_serves_header_selects_a_method_over_http(serve):
    class Methods:
        def __call__(self, request):
            return "call"

        def other(self, request):
            return "other"

        def _private(self, request):
            return "private"

    _, url = serve(Methods)

    def get(method):
        return requests.get(url, headers={"X-SERVE-CALL-METHOD": method}, timeout=10)

    assert [get(name).text for name in ("other", "__call__", "")] == ["other", "call", "call"]
    assert get("_private").status_code == get("missing").status_code == 501


def test_requests_for_tests_of_backends():
    request = weir.Request(body=b'{"a": 1}', query="n=1&n=2")
    assert (request.json["a"], request.args.getlist("n"), request.method) == (1, ["1", "2"], "GET")
    assert weir.Request().json() == None  # noqa: E711
    assert urllib.parse.unquote(repr(weir.MultiDict([("a", 1)]))) == "{'a': 1}"
    assert asyncio.iscoroutinefunction(Json.awaited)
