"""gRPC-Web and Connect in front of upstreams: schemas, weights and shadows; TLS and roles."""

import base64
import gzip
import json
import ssl

import pytest
from google.protobuf import descriptor_pb2

import web
from conftest import Authority, start_demo, wait_for
from http1 import Raw
from test_access import TOKENS, line, write
from test_schemas import F, SERVICE, serve, shop_file, shops  # noqa: F401
from web import connect, connect_stream, grpc_web

GET = f"/{SERVICE}/Get"


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def version(request):
    return request.param


def get(mesh, version, value=None, **fields):
    """A unary call of Connect."""
    client = version(mesh.weir.data)
    try:
        return connect(client, GET, value or {}, **fields)
    finally:
        client.close()


# Schemas.


def test_json_is_converted_by_the_reflection_of_the_backend(mesh, shops, version):  # noqa: F811
    shop = shops(shop_file(), unit_price=5, sold_at={"seconds": 1})
    serve(mesh, shop)
    mesh.endpoint("shop", f"/{SERVICE}/", "shop")
    response = get(mesh, version, {"itemName": "x", "unknown": 1})
    assert response.json == {"unitPrice": "5", "soldAt": "1970-01-01T00:00:01Z"}, response
    assert shop.requests == [b"\x0a\x01x"]
    response = get(mesh, version, {"itemName": 5})
    assert response.status == 400 and "itemName" in response.json["message"], response
    client = version(mesh.weir.data)
    messages, _ = connect_stream(client, GET, [{"item_name": "y"}]).connect_stream
    assert json.loads(messages[0])["unitPrice"] == "5"
    messages, _ = grpc_web(client, GET, [{"item_name": "y"}], "+json").grpc_web
    assert json.loads(messages[0])["unitPrice"] == "5"
    client.close()


def test_each_backend_has_its_own_schema(mesh, shops, version):  # noqa: F811
    """A canary with another field of the same number."""
    serve(mesh, shops(shop_file(stock=F.TYPE_INT32), stock=7), "v1")
    serve(mesh, shops(shop_file(left=F.TYPE_STRING), left="few"), "v2")
    mesh.endpoint("shop", f"/{SERVICE}/", "v1")
    assert get(mesh, version).json == {"stock": 7}
    mesh.tool("traffic", "set", "shop", "v1=0", "v2=1")
    response = get(mesh, version)
    assert response.json == {"left": "few"} and response.fields["x-serve-backend"] == "v2"


def test_a_descriptor_set_replaces_reflection(mesh, shops, version, tmp_path):  # noqa: F811
    shop = shops(shop_file(), has_reflection=False, unit_price=5)
    mesh.backend("bare", "--upstream", shop.address)
    mesh.endpoint("shop", f"/{SERVICE}/", "bare")
    response = get(mesh, version)
    assert response.status == 501 and "schema of backend 'bare'" in response.json["message"]
    # Protobuf needs no schema.
    client = version(mesh.weir.data)
    assert connect(client, GET, b"", "proto").body == shop.answer
    client.close()
    described = descriptor_pb2.FileDescriptorSet(file=[shop_file()])
    described.file[0].dependency[:] = []
    del described.file[0].message_type[1].field[1]
    (tmp_path / "shop.binpb").write_bytes(described.SerializeToString())
    mesh.tool("backend", "update", "bare", "--upstream", shop.address, "--descriptor-set",
              str(tmp_path / "shop.binpb"))
    assert get(mesh, version).json == {"unitPrice": "5"}
    response = connect(version(mesh.weir.data), f"/{SERVICE}/Other", {})
    assert response.status == 501 and "no method" in response.json["message"]


def test_a_get_calls_a_method_without_side_effects(mesh, shops, version):  # noqa: F811
    file = shop_file()
    file.service[0].method[0].options.idempotency_level = 1
    shop = shops(file, unit_price=5)
    serve(mesh, shop)
    mesh.endpoint("shop", f"/{SERVICE}/", "shop")
    client = version(mesh.weir.data)
    response = client.ask(
        "GET", GET + "?message=%7B%22itemName%22%3A%22x%22%7D&encoding=json&connect=v1&x=y")
    assert response.json == {"unitPrice": "5"} and shop.requests == [b"\x0a\x01x"], response
    response = client.ask("GET", GET + "?connect=v1&encoding=proto&base64=1&message=CgF4")
    assert response.body == shop.answer and shop.requests[1] == b"\x0a\x01x"
    compressed = base64.urlsafe_b64encode(gzip.compress(b'{"itemName":"z"}')).decode()
    response = client.ask("GET", GET + "?connect=v1&encoding=json&base64=1&compression=gzip"
                          f"&message={compressed}")
    assert response.json == {"unitPrice": "5"} and shop.requests[2] == b"\x0a\x01z"
    response = client.ask("HEAD", GET + "?connect=v1&encoding=json&message=%7B%7D")
    assert response.status == 200 and not response.body
    client.close()


def test_an_upstream_that_is_down_is_unavailable(mesh, version):
    server = mesh.upstream()
    mesh.raw(server.address)
    server.process.kill()
    server.process.wait()
    client = version(mesh.weir.data)
    response = connect(client, "/test.Raw/Echo", b"x", "proto")
    assert response.status == 503 and response.json["code"] == "unavailable", response
    client.close()


# Traffic.


def test_keys_weights_and_statistics_are_those_of_grpc(mesh, shops, version):  # noqa: F811
    for name in ("v1", "v2"):
        serve(mesh, shops(shop_file(), unit_price=int(name[1])), name)
    mesh.endpoint("shop", f"/{SERVICE}/", "v1")
    mesh.tool("traffic", "set", "shop", "v1=0.5", "v2=0.5")
    seen = {}
    for key in map(str, range(12)):
        called = get(mesh, version, x_serve_shard_key=key).fields["x-serve-backend"]
        again = get(mesh, version, x_serve_shard_key=key).fields["x-serve-backend"]
        explained = json.loads(mesh.tool(
            "explain", GET, "--shard-key", key, "--json").stdout)["backend"]
        assert called == again == explained
        seen[called] = seen.get(called, 0) + 1
    assert set(seen) == {"v1", "v2"}
    stats = json.loads(mesh.tool("stats", "--json").stdout)
    assert "24" in json.dumps(stats) or sum(
        int(entry.get("requests", 0)) for entry in stats.get("backends", [])) == 24


def test_shadows_are_compared_field_by_field(mesh, shops, version):  # noqa: F811
    serve(mesh, shops(shop_file(), unit_price=5), "v1")
    serve(mesh, shops(shop_file(), unit_price=6), "v2")
    mesh.endpoint("shop", f"/{SERVICE}/", "v1")
    mesh.tool("shadow", "set", "shop", "v2=1")
    assert get(mesh, version, {"itemName": "x"}).json == {"unitPrice": "5"}
    wait_for(lambda: "unit_price" in mesh.tool("shadow", "report", "shop").stdout)


# Security.


def test_both_protocols_over_tls(version, tmp_path):
    authority = Authority(tmp_path / "authority")
    authority.issue("server", "DNS:localhost,IP:127.0.0.1")
    options = ["--tls-cert", authority.cert("server"), "--tls-key", authority.key("server"),
               "--admin-tls-cert", authority.cert("server"), "--admin-tls-key",
               authority.key("server")]
    weir = start_demo(*options)
    for address, path in ((weir.data, "/helloworld.Greeter/SayHello"),
                          (weir.admin, "/weir.admin.v1.Admin/ListEndpoints")):
        client = version(address, ssl.create_default_context(cafile=authority.ca))
        response = connect(client, path, {})
        assert response.status == 200 and response.json, response
        messages, trailers = grpc_web(client, path, [{}], "+json").grpc_web
        assert len(messages) == 1 and trailers["grpc-status"] == "0"
        client.close()
    assert weir.stop() == 0


def test_roles_and_tokens_apply_to_both_protocols(version, tmp_path):
    access = write(tmp_path / "access", line("root", "admin") + line("watcher", "viewer"))
    weir = start_demo("--access", str(access))
    client = version(weir.admin)
    path = "/weir.admin.v1.Admin/"
    for method, name, code in (
            ("ListEndpoints", None, "unauthenticated"), ("ListEndpoints", "watcher", None),
            ("DeleteEndpoint", "watcher", "permission_denied"),
            ("DeleteEndpoint", "root", "not_found")):
        fields = {"authorization": f"Bearer {TOKENS[name]}"} if name else {}
        response = connect(client, path + method, {"name": "x"} if "Delete" in method else {},
                           **fields)
        assert response.json.get("code") == code, response
        status = grpc_web(client, path + method, [{"name": "x"} if "Delete" in method else {}],
                          "+json", **fields).grpc_web[1]["grpc-status"]
        assert int(status) == {None: 0, "unauthenticated": 16, "permission_denied": 7,
                               "not_found": 5}[code]
    client.close()
    assert weir.stop() == 0


def test_a_call_of_the_admin_port_must_name_this_server(demo):
    """A page whose name resolves to this machine cannot call it."""
    for host, status in (("evil.example", 421), ("localhost", 200)):
        with Raw(demo.admin) as raw:
            raw.send(b"POST /weir.admin.v1.Admin/ListEndpoints HTTP/1.1\r\nhost: "
                     + host.encode() + b"\r\ncontent-type: application/json\r\n"
                     b"content-length: 2\r\n\r\n{}")
            assert raw.answer().status == status


def test_the_key_is_in_the_cookie_or_the_query_that_the_endpoint_names(
        mesh, shops, version):  # noqa: F811
    file = shop_file()
    file.service[0].method[0].options.idempotency_level = 1
    for name in ("v1", "v2"):
        serve(mesh, shops(file, unit_price=int(name[1])), name)
    mesh.tool("endpoint", "create", "shop", "--route", f"/{SERVICE}/", "--backend", "v1",
              "--shard-key-cookie", "uid", "--shard-key-query", "user")
    mesh.tool("traffic", "set", "shop", "v1=0.5", "v2=0.5")
    client = version(mesh.weir.data)
    for key in map(str, range(8)):
        header = get(mesh, version, x_serve_shard_key=key).fields["x-serve-backend"]
        cookie = get(mesh, version, cookie=f"a=b; uid={key}").fields["x-serve-backend"]
        query = client.ask("GET", f"{GET}?connect=v1&encoding=json&message=%7B%7D&user={key}")
        assert header == cookie == query.fields["x-serve-backend"]
        # The header has precedence.
        both = get(mesh, version, x_serve_shard_key=key, cookie="uid=other")
        assert both.fields["x-serve-backend"] == header
    response = get(mesh, version, cookie="uid=\u00fc")
    assert response.status == 400 and "x-serve-shard-key" in response.json["message"]
    client.close()
    assert "uid" in mesh.tool("export").stdout
    run = mesh.tool("endpoint", "create", "e", "--backend", "v1", "--shard-key-cookie", "a b",
                    check=False)
    assert run.returncode != 0 and "cookie" in run.stderr
