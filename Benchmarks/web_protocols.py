"""Compares Weir and Envoy with its filters for gRPC-Web, Connect and JSON by `google.api.http`:
unary calls over HTTP/2 to a gRPC upstream, with weighted backends.
"""

import json
import pathlib
import subprocess
import sys

import google.api
import grpc_tools

from contender import PAYLOAD, ROOT, Contender, measure, ratio, table
from frames import hello_request
from passthrough import PATH, envoy_configuration, envoy_program, start_upstream, start_weir
from ports import free_port

SHAPES = [(10, 1, 10_000), (10, 100, 30_000)]
ROUNDS = 10
TRANSCODED = "/v1/hello"
PREFIX_BYTES = 5
FILTERS = "type.googleapis.com/envoy.extensions.filters.http"


def descriptor_set(folder):
    """The greeter's descriptors, with a binding of `SayHello`."""
    source = (ROOT / "protos/helloworld/helloworld.proto").read_text()
    method = "rpc SayHello(HelloRequest) returns (HelloReply);"
    assert method in source
    annotated = source.replace(method, method[:-1] + (
        ' { option (google.api.http) = { post: "%s" body: "*" }; }' % TRANSCODED))
    annotated = annotated.replace(
        "package helloworld;", 'package helloworld;\nimport "google/api/annotations.proto";')
    proto, output = folder / "annotated.proto", folder / "annotated.binpb"
    proto.write_text(annotated)
    includes = [folder, pathlib.Path(list(google.api.__path__)[0]).parents[1],
                pathlib.Path(grpc_tools.__file__).parent / "_proto"]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", *(f"-I{folder}" for folder in includes),
         "--include_imports", f"--descriptor_set_out={output}", proto.name], check=True)
    return output


def filters(descriptors):
    """The filters of Envoy by protocol."""
    return {
        "gRPC-Web": ("grpc_web", {"@type": f"{FILTERS}.grpc_web.v3.GrpcWeb"}),
        "Connect": ("connect_grpc_bridge", {
            "@type": f"{FILTERS}.connect_grpc_bridge.v3.FilterConfig"}),
        "JSON": ("grpc_json_transcoder", {
            "@type": f"{FILTERS}.grpc_json_transcoder.v3.GrpcJsonTranscoder",
            "proto_descriptor": str(descriptors), "services": ["helloworld.Greeter"],
            "convert_grpc_status": True}),
    }


def loads(folder):
    """The path and the arguments of h2load by protocol."""
    framed = hello_request(b"x" * PAYLOAD)
    bodies = {
        "gRPC-Web": (PATH, "application/grpc-web+proto", framed),
        "Connect": (PATH, "application/proto", framed[PREFIX_BYTES:]),
        "JSON": (TRANSCODED, "application/json", json.dumps({"name": "x" * PAYLOAD}).encode()),
    }
    found = {}
    for name, (path, content_type, body) in bodies.items():
        file = folder / f"body-{name}"
        file.write_bytes(body)
        found[name] = (path, ["-d", str(file), "-H", f"content-type: {content_type}"])
        if name == "Connect":
            found[name][1].extend(["-H", "connect-protocol-version: 1"])
    return found


def start_envoy(folder, upstream, name, filter_name, configuration):
    port = free_port()
    text = envoy_configuration(port, int(upstream.rsplit(":", 1)[1]))
    manager = text["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0][
        "typed_config"]
    manager["route_config"]["virtual_hosts"][0]["routes"][0]["match"] = {"prefix": "/"}
    manager["http_filters"].insert(0, {
        "name": f"envoy.filters.http.{filter_name}", "typed_config": configuration})
    file = folder / f"envoy-{filter_name}.json"
    file.write_text(json.dumps(text))
    return Contender(
        name, [envoy_program(), "-c", file, "--concurrency", "1", "--disable-hot-restart", "-l",
               "off"], f"http://127.0.0.1:{port}/")


def compare(folder):
    """By protocol: Weir and Envoy after the load."""
    upstream, address = start_upstream()
    descriptors = descriptor_set(folder)
    found = {}
    try:
        for protocol, (path, arguments) in loads(folder).items():
            pair = [
                start_weir(address, "weir", descriptor_set=descriptors),
                start_envoy(folder, address, "envoy", *filters(descriptors)[protocol])]
            try:
                for contender in pair:
                    contender.url = contender.url.split("/", 3)[2].join(["http://", path])
                    contender.arguments = arguments
                measure(pair, SHAPES, ROUNDS)
            finally:
                for contender in pair:
                    contender.stop()
            found[protocol] = pair
    finally:
        upstream.terminate()
        upstream.wait(20)
    return found


def report(found):
    print("\nUnary calls of web protocols over HTTP/2 to a gRPC upstream; CPU time of the proxy "
          "per request\n")
    rows = [["protocol", "proxy"] + [f"c={c} m={m}" for c, m, _ in SHAPES]]
    for protocol, pair in found.items():
        for contender in pair:
            rows.append([protocol, contender.name] + [contender.text(shape) for shape in SHAPES])
    table(rows)
    print("\nEnvoy's CPU / Weir's")
    table([["protocol"] + [f"c={c} m={m}" for c, m, _ in SHAPES]] + [
        [protocol] + [ratio(envoy, weir, shape) for shape in SHAPES]
        for protocol, (weir, envoy) in found.items()])
