"""A server of `library.v1.Library`, whose methods have bindings of `google.api.http`."""

import concurrent.futures
import pathlib
import subprocess
import sys

import google.api
import grpc
import grpc_tools
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.rpc import error_details_pb2, status_pb2
from grpc_reflection.v1alpha import reflection

ROOT = pathlib.Path(__file__).resolve().parents[2]
SERVICE = "library.v1.Library"
# The folder that contains google/api.
APIS = pathlib.Path(list(google.api.__path__)[0]).parents[1]


def descriptors(folder, proto=ROOT / "Tests/Protos/library.proto"):
    """The descriptor set of a file, as protoc writes it."""
    output = pathlib.Path(folder) / f"{proto.stem}.binpb"
    include = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{proto.parent}", f"-I{APIS}",
         f"-I{include}", "--include_imports", f"--descriptor_set_out={output}", proto.name],
        check=True)
    return output


class Library:
    """The server. `calls` has the method and the request of each call."""

    def __init__(self, descriptor_set, has_reflection=True, port=0, **titles):
        files = descriptor_pb2.FileDescriptorSet.FromString(
            pathlib.Path(descriptor_set).read_bytes())
        pool = descriptor_pool.DescriptorPool()
        for file in files.file:
            pool.Add(file)
        self.pool = pool
        self.calls = []
        self.metadata = []
        self.server = grpc.server(
            concurrent.futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        handlers = {}
        for method in pool.FindServiceByName(SERVICE).methods:
            kind = {(False, False): grpc.unary_unary_rpc_method_handler,
                    (False, True): grpc.unary_stream_rpc_method_handler,
                    (True, False): grpc.stream_unary_rpc_method_handler}[
                        method.client_streaming, method.server_streaming]
            handlers[method.name] = kind(
                self.handler(method),
                request_deserializer=message_factory.GetMessageClass(
                    method.input_type).FromString,
                response_serializer=lambda message: message.SerializeToString())
        self.server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler(SERVICE, handlers)])
        if has_reflection:
            reflection.enable_server_reflection([SERVICE], self.server, pool=pool)
        self.port = self.server.add_insecure_port(f"127.0.0.1:{port}")
        self.address = f"127.0.0.1:{self.port}"
        self.server.start()

    def type(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName(name))

    def handler(self, method):
        reply = message_factory.GetMessageClass(method.output_type)
        function = getattr(self, method.name)

        def handle(request, context):
            if method.client_streaming:
                request = list(request)
            self.calls.append((method.name, request))
            self.metadata.append(dict(context.invocation_metadata()))
            context.send_initial_metadata([("x-initial", "1")])
            context.set_trailing_metadata([("x-trailing", "2")])
            return function(request, reply, context)

        def stream(request, context):
            yield from handle(request, context)

        return stream if method.server_streaming else handle

    def fail(self, context, code, message):
        """Ends the call with a status with details."""
        status = status_pb2.Status(code=code.value[0], message=message)
        status.details.add().Pack(error_details_pb2.ErrorInfo(reason="NO", domain="library"))
        context.set_trailing_metadata([
            ("grpc-status-details-bin", status.SerializeToString()), ("x-trailing", "2")])
        context.abort(code, message)

    def GetBook(self, request, reply, context):
        if request.name.endswith("/missing"):
            self.fail(context, grpc.StatusCode.NOT_FOUND, f"no book {request.name}")
        return reply(name=request.name, title="Emma", genre=1, pages=474)

    def GetFile(self, request, reply, context):
        return reply(name=request.name)

    def ListBooks(self, request, reply, context):
        return reply(titles=["Emma", "Persuasion"], request=request)

    def CreateBook(self, request, reply, context):
        book = reply()
        book.CopyFrom(request.book)
        book.name = f"{request.parent}/books/1"
        return book

    def UpdateBook(self, request, reply, context):
        return request.book

    def MoveBook(self, request, reply, context):
        return reply(name=request.name, shelf=request.shelf)

    def DeleteBook(self, request, reply, context):
        return reply()

    def WatchBooks(self, request, reply, context):
        for index in range(request.count):
            yield reply(name=f"{request.parent}/books/{index}")
        if request.fails:
            self.fail(context, grpc.StatusCode.RESOURCE_EXHAUSTED, "no more books")

    def AddBooks(self, requests, reply, context):
        return reply(titles=[book.title for book in requests])

    def GetCover(self, request, reply, context):
        return reply(content_type="image/svg+xml", data=b"<svg/>")

    def PutCover(self, request, reply, context):
        return reply()

    def Ping(self, request, reply, context):
        return reply()

    def stop(self):
        self.server.stop(None).wait()
