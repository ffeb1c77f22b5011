"""Compares Weir and Envoy as proxies of the same upstream, with weighted backends and unary calls.
"""

import json
import pathlib
import subprocess

from contender import (
    RELEASE, SHAPES, Contender, grpc_load, measure, ratio, table)
from ports import free_port

PATH = "/helloworld.Greeter/SayHello"
WEIGHTS = {"v1": 90, "v2": 10}
LATENCY_SHAPE = (10, 1, 50_000)


def envoy_program():
    import envoy

    return pathlib.Path(envoy.__file__).parent / "_bin" / "envoy"


def envoy_configuration(port, upstream_port):
    """Envoy's configuration: one listener, two weighted clusters of one upstream, HTTP/2 on both
    sides.
    """

    def cluster(name):
        return {
            "name": name, "type": "STATIC", "connect_timeout": "5s",
            "typed_extension_protocol_options": {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                    "@type": "type.googleapis.com/"
                             "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                    # The upstream's limit, which Envoy otherwise learns too late for a burst.
                    "explicit_http_config": {"http2_protocol_options": {
                        "max_concurrent_streams": 256}}}},
            "circuit_breakers": {"thresholds": [{
                "max_connections": 10_000, "max_pending_requests": 100_000,
                "max_requests": 100_000}]},
            "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [{
                "endpoint": {"address": {"socket_address": {
                    "address": "127.0.0.1", "port_value": upstream_port}}}}]}]}}

    clusters = [{"name": name, "weight": weight} for name, weight in WEIGHTS.items()]
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network."
                 "http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "p", "codec_type": "HTTP2", "generate_request_id": False,
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{
            "match": {"prefix": "/helloworld.Greeter/"},
            "route": {"weighted_clusters": {"clusters": clusters}}}]}]}}
    return {"static_resources": {
        "listeners": [{
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
            "filter_chains": [{"filters": [{
                "name": "envoy.filters.network.http_connection_manager",
                "typed_config": manager}]}]}],
        "clusters": [cluster(name) for name in WEIGHTS]}}


def start_weir(upstream, name="weir", shadow=None, descriptor_set=None, options=()):
    """A server with the endpoint, and optionally a shadow with proportion 1, or a schema.

    `options` are further ones of `weir serve`.
    """
    server = Contender(
        name, [RELEASE / "weir", "serve", "--json", "--store", "memory:", "--loops", "1",
               "--data", "127.0.0.1:0", "--admin", "127.0.0.1:0", *options], "")
    addresses = json.loads(server.process.stdout.readline())

    def tool(*arguments):
        subprocess.run([RELEASE / "weir", *arguments, "--admin", addresses["admin"]], check=True,
                       stdout=subprocess.DEVNULL)

    for name in WEIGHTS:
        tool("backend", "create", name, "--upstream", upstream,
             *(["--descriptor-set", descriptor_set] if descriptor_set else []))
    tool("endpoint", "create", "e", "--route", "/helloworld.Greeter/", "--backend", "v1")
    tool("traffic", "set", "e", *(f"{name}={weight / 100}" for name, weight in WEIGHTS.items()))
    if shadow:
        tool("backend", "create", "shadow", "--upstream", shadow)
        tool("shadow", "set", "e", "shadow=1", "--timeout", "600")
    server.url = f"http://{addresses['data']}{PATH}"
    return server


def start_upstream(*arguments, yields=False):
    """An upstream server, and its address."""
    server = subprocess.Popen(
        ["taskset", "-c", "1", *(["nice", "-n", "19"] if yields else []),
         RELEASE / "FixtureServer", "1", *arguments], stdout=subprocess.PIPE, text=True)
    return server, server.stdout.readline().split()[0]


def compare(folder):
    """The contenders after the load, and the CPU time of their upstream alone."""
    upstream, address = start_upstream()
    port = free_port()
    (folder / "envoy.json").write_text(
        json.dumps(envoy_configuration(port, int(address.rsplit(":", 1)[1]))))
    contenders = [
        start_weir(address),
        Contender("envoy", [envoy_program(), "-c", folder / "envoy.json", "--concurrency", "1",
                            "--disable-hot-restart", "-l", "off"],
                  f"http://127.0.0.1:{port}{PATH}"),
    ]
    figures = {}
    try:
        for contender in contenders:
            contender.arguments = list(map(str, grpc_load(folder)))
        measure(contenders)
        for contender in contenders:
            figures[contender.name] = (
                contender.latencies(folder, *LATENCY_SHAPE), contender.resident_bytes())
    finally:
        for contender in contenders:
            contender.stop()
        upstream.terminate()
        upstream.wait(20)
    return contenders, figures


def report(contenders, figures):
    print("\nUnary calls passed through to an upstream, weighted backends 0.9 / 0.1; CPU time of the "
          "proxy per request\n")
    rows = [["proxy"] + [f"c={c} m={m}" for c, m, _ in SHAPES] + ["p50", "p99", "p99.9", "memory"]]
    for contender in contenders:
        latencies, resident = figures[contender.name]
        rows.append(
            [contender.name]
            + [contender.text(shape) for shape in SHAPES]
            + [f"{time} us" for time in latencies] + [f"{resident / 2**20:.0f} MiB"])
    table(rows)
    print(f"(latencies at c={LATENCY_SHAPE[0]} m={LATENCY_SHAPE[1]})\n\nEnvoy's CPU / Weir's")
    weir, envoy = contenders
    targets = {SHAPES[1]: "target: at least 4", SHAPES[2]: "target: at least 12"}
    table([
        [f"c={shape[0]} m={shape[1]}", ratio(envoy, weir, shape), targets.get(shape, "")]
        for shape in SHAPES])
