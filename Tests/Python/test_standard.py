"""grpc.health.v1 and server reflection, by the official Python clients."""

import grpc
import pytest
from conftest import wait_for
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


@pytest.mark.parametrize("port", ["data", "admin"])
def test_health(demo, port):
    with grpc.insecure_channel(getattr(demo, port)) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", "greeter", "helloworld.Greeter"):
            assert health.Check(health_pb2.HealthCheckRequest(service=name)).status == SERVING
        with pytest.raises(grpc.RpcError) as caught:
            health.Check(health_pb2.HealthCheckRequest(service="nope"))
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


def test_a_health_watch_follows_changes_and_the_drain(demo, stubs):
    with grpc.insecure_channel(demo.data) as channel, \
            grpc.insecure_channel(demo.admin) as admin_channel:
        health = health_pb2_grpc.HealthStub(channel)
        admin = stubs.admin_grpc.AdminStub(admin_channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service="new"), timeout=15)
        assert next(watch).status == SERVICE_UNKNOWN
        admin.CreateEndpoint(stubs.admin.CreateEndpointRequest(
            name="new", route="/new.Service/", backend="greeter-v1"))
        assert next(watch).status == SERVING
        demo.process.terminate()
        assert next(watch).status == NOT_SERVING


def test_a_service_of_several_endpoints_serves_while_one_of_them_does(mesh):
    good = mesh.upstream()
    mesh.backend("good", "--upstream", good.address)
    mesh.backend("dead", "--upstream", "127.0.0.1:1")
    for name in ("dead", "good"):
        for number in range(3):
            mesh.endpoint(f"{name}{number}", f"/x.S/{name}{number}", name)
    health = health_pb2_grpc.HealthStub(mesh.channel)

    def statuses():
        return [health.Check(health_pb2.HealthCheckRequest(service=name)).status
                for name in ("good0", "dead0", "x.S")]

    wait_for(lambda: statuses() == [SERVING, NOT_SERVING, SERVING])
    good.process.kill()
    wait_for(lambda: statuses() == [NOT_SERVING, NOT_SERVING, NOT_SERVING])


def test_reflection_describes_the_demo(demo):
    with grpc.insecure_channel(demo.data) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert set(database.get_services()) == {
            "helloworld.Greeter", "weir.v1.Serve", "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"}
        service = DescriptorPool(database).FindServiceByName("helloworld.Greeter")
        method = service.FindMethodByName("SayHello")
        assert method.input_type.full_name == "helloworld.HelloRequest"
        assert [field.name for field in method.input_type.fields] == ["name"]


def test_reflection_describes_the_admin_service(demo):
    with grpc.insecure_channel(demo.admin) as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "weir.admin.v1.Admin" in database.get_services()
        service = DescriptorPool(database).FindServiceByName("weir.admin.v1.Admin")
        assert "SetTraffic" in [method.name for method in service.methods]
