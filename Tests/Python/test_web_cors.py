"""CORS: which scripts of web pages may call endpoints and the admin port."""

import pytest

import web
from conftest import start_weir, tool
from test_schemas import SERVICE, serve, shop_file, shops  # noqa: F401
from web import connect, grpc_web

GET = f"/{SERVICE}/Get"


@pytest.fixture(params=web.VERSIONS, ids=["http1", "http2"])
def version(request):
    return request.param


ORIGIN = "https://app.example"


@pytest.fixture
def shared(mesh, shops):  # noqa: F811
    """An endpoint for scripts of one origin."""
    serve(mesh, shops(shop_file(), unit_price=5))
    mesh.tool("endpoint", "create", "shop", "--route", f"/{SERVICE}/", "--backend", "shop",
              "--cors-origin", ORIGIN, "--cors-header", "X-Custom", "--cors-credentials",
              "--cors-exposed-header", "trailer-x-total")
    return mesh


def preflight(client, path, origin=ORIGIN):
    return client.ask("OPTIONS", path, {
        "origin": origin, "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-custom"})


def test_a_preflight_allows_the_configured_origin(shared, version):
    client = version(shared.weir.data)
    response = preflight(client, GET)
    fields = response.fields
    assert response.status == 204 and not response.body
    assert fields["access-control-allow-origin"] == ORIGIN
    assert fields["access-control-allow-credentials"] == "true"
    assert fields["access-control-allow-methods"] == "GET, POST"
    assert fields["access-control-max-age"] == "7200"
    allowed = fields["access-control-allow-headers"].split(", ")
    assert {"content-type", "connect-protocol-version", "connect-timeout-ms", "grpc-timeout",
            "x-grpc-web", "x-user-agent", "x-serve-shard-key", "x-custom"} <= set(allowed)
    assert "origin" in fields["vary"] and "date" in fields
    response = preflight(client, GET, "https://evil.example")
    assert response.status == 204 and "origin" in response.fields["vary"]
    assert not [name for name in response.fields if name.startswith("access-control-")]
    client.close()


def test_a_response_lets_scripts_of_the_origin_read_it(shared, version):
    client = version(shared.weir.data)
    for value, status in (({}, 200), ({"itemName": 1}, 400)):
        response = connect(client, GET, value, origin=ORIGIN)
        fields = response.fields
        assert response.status == status
        assert fields["access-control-allow-origin"] == ORIGIN and fields["vary"] == "origin"
        assert fields["access-control-allow-credentials"] == "true"
        exposed = fields["access-control-expose-headers"].split(", ")
        assert {"grpc-status", "grpc-message", "grpc-status-details-bin", "x-serve-backend",
                "trailer-x-total"} <= set(exposed)
    fields = grpc_web(client, GET, [b""], origin=ORIGIN).fields
    assert fields["access-control-allow-origin"] == ORIGIN
    for origin in ({"origin": "https://evil.example"}, {}):
        fields = connect(client, GET, {}, **origin).fields
        assert fields["vary"] == "origin" and "access-control-allow-origin" not in fields
    client.close()


def test_without_a_policy_no_origin_is_allowed(fixture_server, version):
    client = version(fixture_server.data)
    response = preflight(client, "/helloworld.Greeter/SayHello")
    assert not [name for name in response.fields if name.startswith("access-control-")]
    response = connect(client, "/helloworld.Greeter/SayHello", {}, origin=ORIGIN)
    assert response.status == 200 and "access-control-allow-origin" not in response.fields
    client.close()


def test_the_admin_port_has_its_own_origins(version):
    weir = start_weir("--admin-cors-origin", ORIGIN)
    client = version(weir.admin)
    path = "/weir.admin.v1.Admin/ListEndpoints"
    fields = preflight(client, path).fields
    assert fields["access-control-allow-origin"] == ORIGIN
    assert "authorization" in fields["access-control-allow-headers"]
    assert connect(client, path, {}, origin=ORIGIN).fields["access-control-allow-origin"] == ORIGIN
    client.close()
    assert weir.stop() == 0


def test_a_policy_is_exported_and_applied(shared):
    exported = shared.tool("export").stdout
    assert ORIGIN in exported and "x-custom" in exported
    changed = exported.replace(ORIGIN, "https://other.example")
    path = shared.stubs.path / "cors.yaml"
    path.write_text(changed)
    shared.tool("apply", "-f", str(path))
    client = web.HTTP1(shared.weir.data)
    assert "access-control-allow-origin" not in preflight(client, GET).fields
    fields = preflight(client, GET, "https://other.example").fields
    assert fields["access-control-allow-origin"] == "https://other.example"
    client.close()


@pytest.mark.parametrize("options, part", [
    (["--cors-origin", "app.example"], "SCHEME://HOST"),
    (["--cors-origin", "https://app.example/path"], "SCHEME://HOST"),
    (["--cors-origin", "null"], "SCHEME://HOST"),
    (["--cors-origin", "https://*.example"], "* stands alone"),
    (["--cors-origin", "https://app.example:443"], "use 'https://app.example'"),
    (["--cors-origin", "*", "--cors-credentials"], "credentials"),
    (["--cors-origin", "*", "--cors-header", "a b"], "header name"),
    (["--cors-header", "x"], "--cors-origin"),
])
def test_an_invalid_policy_is_refused(demo, options, part):
    run = tool(demo, "endpoint", "create", "e", "--backend", "greeter-v1", *options, check=False)
    assert run.returncode != 0 and part in run.stderr, run.stderr
