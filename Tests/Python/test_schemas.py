"""Schemas of backends: from descriptor sets and from the backends' own reflection."""

import concurrent.futures
import json

import grpc
import pytest
from google.protobuf import (
    descriptor_pb2, descriptor_pool, message_factory, timestamp_pb2)
from grpc_reflection.v1alpha import reflection, reflection_pb2, reflection_pb2_grpc

from conftest import wait_for
from waiting import polled

F = descriptor_pb2.FieldDescriptorProto
SERVICE = "shop.Shop"


def shop_file(**extra):
    """`shop.proto`, with further fields of the reply by name."""
    file = descriptor_pb2.FileDescriptorProto(
        name="shop.proto", package="shop", syntax="proto3",
        dependency=["google/protobuf/timestamp.proto"])
    file.message_type.add(name="Request").field.add(
        name="item_name", number=1, label=1, type=F.TYPE_STRING)
    reply = file.message_type.add(name="Reply")
    reply.field.add(name="unit_price", number=1, label=1, type=F.TYPE_INT64)
    reply.field.add(name="sold_at", number=2, label=1, type=F.TYPE_MESSAGE,
                    type_name=".google.protobuf.Timestamp")
    for number, (name, type_) in enumerate(extra.items(), 3):
        reply.field.add(name=name, number=number, label=1, type=type_)
    file.service.add(name="Shop").method.add(
        name="Get", input_type=".shop.Request", output_type=".shop.Reply")
    return file


class Shop:
    """A server of `shop.Shop` with server reflection, of v1alpha only."""

    def __init__(self, file, port=0, has_reflection=True, **reply):
        pool = descriptor_pool.DescriptorPool()
        pool.AddSerializedFile(timestamp_pb2.DESCRIPTOR.serialized_pb)
        pool.Add(file)
        self.requests = []
        reply_type = message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Reply"))
        self.answer = reply_type(**reply).SerializeToString()
        self.server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        self.server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
            SERVICE, {"Get": grpc.unary_unary_rpc_method_handler(self.get)})])
        if has_reflection:
            reflection.enable_server_reflection([SERVICE], self.server, pool=pool)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self.server.start()

    def get(self, request, context):
        self.requests.append(request)
        return self.answer

    def stop(self):
        self.server.stop(None).wait()


@pytest.fixture
def shops():
    started = []

    def start(*arguments, **options):
        started.append(Shop(*arguments, **options))
        return started[-1]

    yield start
    for shop in started:
        shop.stop()


def serve(mesh, shop, name="shop"):
    mesh.backend(name, "--upstream", shop.address)
    mesh.wait_ready(name)


def get(mesh, *arguments):
    run = mesh.tool("call", f"{SERVICE}/Get", "--json", *arguments)
    return json.loads(run.stdout)


def question(mesh, **question):
    stub = reflection_pb2_grpc.ServerReflectionStub(mesh.channel)
    request = reflection_pb2.ServerReflectionRequest(**question)
    return next(iter(stub.ServerReflectionInfo(iter([request]), timeout=10)))


def reply_fields(mesh):
    """The fields of `shop.Reply` as Weir's reflection describes them."""
    answer = question(mesh, file_containing_symbol="shop.Reply").file_descriptor_response
    for data in answer.file_descriptor_proto:
        file = descriptor_pb2.FileDescriptorProto.FromString(data)
        if file.name == "shop.proto":
            return [field.name for field in file.message_type[1].field]
    return None


def test_a_new_upstream_is_called_without_a_descriptor_set(mesh, shops):
    shop = shops(shop_file(), unit_price=5, sold_at={"seconds": 1})
    serve(mesh, shop)
    mesh.endpoint("shop", f"/{SERVICE}/", "shop")
    assert get(mesh, "--data", '{"itemName": "x"}') == {
        "unitPrice": "5", "soldAt": "1970-01-01T00:00:01Z"}
    assert shop.requests == [b"\x0a\x01x"]
    services = question(mesh, list_services="").list_services_response.service
    assert SERVICE in [service.name for service in services]


def test_without_reflection_the_error_names_the_service(mesh, shops):
    serve(mesh, shops(shop_file(), has_reflection=False))
    mesh.endpoint("shop", f"/{SERVICE}/", "shop")
    run = mesh.tool("call", f"{SERVICE}/Get", check=False)
    assert run.returncode != 0 and SERVICE in run.stderr


def test_another_version_of_a_replica_is_noticed(mesh, shops):
    shop = shops(shop_file())
    serve(mesh, shop)
    mesh.endpoint("shop", f"/{SERVICE}/", "shop")
    assert reply_fields(mesh) == ["unit_price", "sold_at"]
    shop.stop()
    shops(shop_file(stock=F.TYPE_INT32), port=shop.port, stock=7)
    wait_for(lambda: reply_fields(mesh) == ["unit_price", "sold_at", "stock"])
    assert get(mesh) == {"stock": 7}


def test_reflection_has_the_union_of_two_versions(mesh, shops):
    serve(mesh, shops(shop_file(stock=F.TYPE_INT32)), "a")
    mesh.endpoint("shop", f"/{SERVICE}/", "a")
    file = shop_file(colour=F.TYPE_STRING)
    file.message_type[1].field[2].number = 9
    serve(mesh, shops(file, colour="red"), "b")
    mesh.tool("traffic", "set", "shop", "a=0", "b=1")
    assert reply_fields(mesh) == ["unit_price", "sold_at", "colour"]
    mesh.tool("traffic", "set", "shop", "a=0.5", "b=0.5")
    assert reply_fields(mesh) == ["unit_price", "sold_at", "stock", "colour"]


def test_a_contradiction_of_two_versions_is_logged(mesh, shops):
    serve(mesh, shops(shop_file(stock=F.TYPE_INT32)), "a")
    serve(mesh, shops(shop_file(stock=F.TYPE_STRING)), "b")
    mesh.endpoint("shop", f"/{SERVICE}/", "a")
    mesh.tool("traffic", "set", "shop", "a=0.5", "b=0.5")
    assert reply_fields(mesh) == ["unit_price", "sold_at", "stock"]
    mesh.weir.stop()
    log = mesh.weir.process.stderr.read()
    assert "field 3 of shop.Reply is 'stock' and 'stock' of different types" in log


def test_shadows_are_compared_by_reflected_schemas(mesh, shops):
    serve(mesh, shops(shop_file(), unit_price=5), "a")
    serve(mesh, shops(shop_file(stock=F.TYPE_INT32), unit_price=6, stock=1), "b")
    mesh.endpoint("shop", f"/{SERVICE}/", "a")
    mesh.tool("shadow", "set", "shop", "b=1")
    request = mesh.stubs.admin.GetShadowReportRequest(endpoint="shop", backend="b")

    def paths():
        mesh.channel.unary_unary(f"/{SERVICE}/Get")(b"", timeout=10)
        found = mesh.admin.GetShadowReport(request, timeout=10).reports[0]
        return {field.field for field in found.fields}

    polled(paths, lambda paths: {"unit_price", "stock"} <= paths)


def test_a_descriptor_set_without_its_imports_is_rejected(mesh, tmp_path):
    path = tmp_path / "set.pb"
    path.write_bytes(descriptor_pb2.FileDescriptorSet(file=[shop_file()]).SerializeToString())
    run = mesh.tool(
        "backend", "create", "shop", "--upstream", "127.0.0.1:9", "--descriptor-set", path,
        check=False)
    assert run.returncode != 0
    assert "'shop.proto' imports 'google/protobuf/timestamp.proto'" in run.stderr
