"""How the Python client connects, its errors of misuse, and its representations."""

import asyncio
import inspect
import os

import grpc
import pytest

import weir
from conftest import Authority, start_weir


class Model:
    def __call__(self, request):
        return request.data


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith("WEIR_")]:
        if name not in ("WEIR_BUILD", "WEIR_PATIENCE"):
            monkeypatch.delenv(name)
    return monkeypatch


@pytest.fixture(scope="module")
def server():
    server = start_weir()
    yield server
    assert server.stop() == 0, server.process.stderr.read()[-30000:]


def test_the_variables_of_the_tool(server, environment):
    environment.setenv("WEIR_ADMIN", server.admin)
    environment.setenv("WEIR_ADDRESS", "127.0.0.1:9")
    environment.setenv("WEIR_AUTHOR", "me")
    with weir.connect() as client:
        assert (client.address, client.data_address, client.author) == (
            server.admin, "127.0.0.1:9", "me")
        client.create_backend("theirs", ["127.0.0.1:9"])
        assert client.history(1)[0].author == "me"
        client.delete_backend("theirs")
    with weir.connect(server.admin, data_address=server.data, author="you") as client:
        assert (client.data_address, client.author) == (server.data, "you")

    async def run():
        async with weir.aio.connect() as client:
            return client.address

    assert asyncio.run(run()) == server.admin


def test_tls_and_a_token_from_variables(tmp_path, environment):
    authority = Authority(tmp_path / "tls")
    authority.issue("server", "DNS:model.internal")
    authority.issue("client", "DNS:operator")
    options = ("--admin-tls-cert", authority.cert("server"), "--admin-tls-key",
               authority.key("server"), "--admin-tls-client-ca", authority.ca, "--tls-cert",
               authority.cert("server"), "--tls-key", authority.key("server"))
    server = start_weir(*options)
    for prefix in ("WEIR_ADMIN_TLS", "WEIR_TLS"):
        environment.setenv(f"{prefix}_CA", authority.ca)
        environment.setenv(f"{prefix}_SERVER_NAME", "model.internal")
    environment.setenv("WEIR_ADMIN_TLS_CERT", authority.cert("client"))
    with pytest.raises(ValueError, match="set both WEIR_ADMIN_TLS_CERT and WEIR_ADMIN_TLS_KEY"):
        weir.connect(server.admin)
    environment.setenv("WEIR_ADMIN_TLS_KEY", authority.key("client"))
    with weir.connect(server.admin) as client:
        client.create_backend("model", Model)
        client.create_endpoint("model", backend="model")
        assert client.get_handle("model").remote([1]).result(timeout=20) == [1]
    environment.setenv("WEIR_ADMIN_TLS_CA", str(tmp_path / "missing"))
    with pytest.raises(ValueError, match="WEIR_ADMIN_TLS_CA: cannot read"):
        weir.connect(server.admin)
    environment.delenv("WEIR_ADMIN_TLS_CA")
    environment.delenv("WEIR_ADMIN_TLS_CERT")
    with pytest.raises(weir.Unavailable, match="for TLS, set WEIR_ADMIN_TLS_CA"):
        weir.connect(server.admin, timeout=5)
    assert server.stop() == 0, server.process.stderr.read()[-30000:]


def test_invalid_tokens(environment):
    for token in ("", "a b", "ü", "a\nb"):
        environment.setenv("WEIR_TOKEN", token)
        with pytest.raises(ValueError, match="invalid token") as refused:
            weir.connect("127.0.0.1:1")
        assert not token or token not in str(refused.value)
    environment.setenv("WEIR_TOKEN", "secret")
    with pytest.raises(ValueError, match="requires TLS: set WEIR_ADMIN_TLS_CA"):
        weir.connect("192.0.2.1:8001")


@pytest.mark.parametrize("address", [
    "localhost", "http://127.0.0.1:8001", "127.0.0.1:", ":8001", "127.0.0.1:8001/", "a:99999"])
def test_invalid_addresses(address):
    with pytest.raises(ValueError, match="use host:port"):
        weir.connect(address)
    with pytest.raises(ValueError, match="use host:port"):
        asyncio.run(connected(address))


async def connected(address):
    return await weir.aio.connect(address)


def test_an_address_of_another_type():
    with pytest.raises(TypeError, match="use text"):
        weir.connect(8001)


def test_the_data_port_is_not_the_admin_port(server):
    with pytest.raises(weir.Unimplemented, match="is not an admin port; it may be a data port"):
        weir.connect(server.data)


def test_no_server():
    with pytest.raises(weir.Unavailable, match="Start one with `weir serve`, or set WEIR_ADMIN"):
        weir.connect("127.0.0.1:1", timeout=5)


def test_a_closed_client(server):
    client = weir.connect(server.admin)
    client.create_backend("model", Model)
    client.create_endpoint("model", backend="model")
    handle = client.get_handle("model")
    client.shutdown()
    for call in (client.list_backends, lambda: handle.remote(1), client.serve_forever,
                 lambda: next(client.watch()), lambda: client.create_backend("b", Model)):
        with pytest.raises(weir.ClientClosed, match="connect again with weir.connect"):
            call()

    async def run():
        connection = await weir.aio.connect(server.admin)
        await connection.close()
        with pytest.raises(weir.ClientClosed):
            await connection.list_backends()

    asyncio.run(run())


def test_representations(server):
    with weir.connect(server.admin) as client:
        client.create_backend("model", Model)
        client.create_endpoint("model", backend="model")
        assert repr(client) == f"<weir.Client of {server.admin}, serves model>"
        handle = client.get_handle("model").options("other", shard_key="me", timeout=3)
        assert repr(handle) == (
            "weir.Handle('model', shard_key='me', method_name='other', timeout=3)")
        result = client.get_handle("model").remote()
        result.result(timeout=20)
        assert repr(result) == "<weir.Result of endpoint 'model', done>"
        assert "affinity" not in repr(client.get_endpoint("model"))
    assert repr(client) == f"<weir.Client of {server.admin}, closed>"
    assert repr(weir.BackendConfig(num_replicas=2)) == (
        "BackendConfig(num_replicas=2, max_concurrent_queries=None, max_batch_size=None, "
        "batch_wait_timeout=0.0)")


@pytest.mark.parametrize("config, message", [
    ({"num_replicas": "3"}, "invalid num_replicas '3': use a whole number"),
    ({"num_replicas": 0}, "from 1 to 1000"),
    ({"num_replicas": True}, "invalid num_replicas True"),
    ({"num_replicas": 1.5}, "invalid num_replicas 1.5"),
    ({"max_concurrent_queries": -1}, "invalid max_concurrent_queries -1"),
    ({"max_batch_size": 2}, "mark the function or the method __call__ with @weir.accept_batch"),
    ({"batch_wait_timeout": "1"}, "invalid batch_wait_timeout '1': use seconds"),
    ({"batch_wait_timeout": float("nan")}, "invalid batch_wait_timeout nan"),
    ({"replicas": 1}, "config has no replicas; it has num_replicas, max_concurrent_queries"),
    ([3], "config must be a dictionary or a weir.BackendConfig"),
])
def test_invalid_configurations(server, config, message):
    with weir.connect(server.admin) as client:
        for kind in (TypeError, ValueError):
            with pytest.raises(kind) as refused:
                client.create_backend("bad", Model, config=config)
            assert message in str(refused.value)
        assert client.list_backends() == {}


def test_arguments_for_a_function(server):
    with weir.connect(server.admin) as client:
        with pytest.raises(ValueError, match="a function has none"):
            client.create_backend("bad", lambda request: 1, "argument")


def test_both_clients_have_the_same_calls_with_typed_arguments():
    for name, method in inspect.getmembers(weir.Client, inspect.isfunction):
        if name.startswith("_"):
            continue
        own, other = inspect.signature(method), inspect.signature(getattr(weir.aio.Client, name))
        expected = set(own.parameters) - {"missing_ok"}
        assert expected == set(other.parameters), name
        assert all(part.kind is not part.VAR_KEYWORD for part in other.parameters.values()), name
    assert issubclass(weir.NotFound, KeyError) and issubclass(weir.AlreadyExists, ValueError)
    assert str(weir.NotFound("no endpoint 'a'")) == "no endpoint 'a'"
    assert weir.NotFound("x").code is grpc.StatusCode.NOT_FOUND
