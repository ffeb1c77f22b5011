"""A grpcio server of `connectrpc.conformance.v1.ConformanceService`, with server reflection."""

import concurrent.futures
import time

import grpc
from google.protobuf import any_pb2
from google.rpc import status_pb2
from grpc_reflection.v1alpha import reflection

SERVICE = "connectrpc.conformance.v1.ConformanceService"
# The largest request, which some cases exceed.
LIMIT = 200 << 10


class Service:
    """The methods, by the messages of the suite (`pb`)."""

    def __init__(self, pb):
        self.pb = pb

    def info(self, context, requests):
        """What the server has received."""
        info = self.pb.ConformancePayload.RequestInfo()
        fields = {}
        for name, value in context.invocation_metadata():
            fields.setdefault(name, []).append(value)
        for name, values in fields.items():
            info.request_headers.add(name=name, value=[
                value if isinstance(value, str) else value.hex() for value in values])
        remaining = context.time_remaining()
        # Without a deadline, grpcio returns a very long time or None.
        if remaining is not None and remaining < 1e6:
            info.timeout_ms = int(remaining * 1_000)
        for request in requests:
            any_ = info.requests.add()
            any_.Pack(request)
        return info

    def begin(self, context, definition):
        """Sends the response headers, and sets the trailers."""
        context.send_initial_metadata(pairs(definition.response_headers))
        context.set_trailing_metadata(pairs(definition.response_trailers))

    def fail(self, context, definition, info):
        """Ends the call with the error of a definition."""
        error = definition.error
        status = status_pb2.Status(
            code=error.code, message=error.message, details=list(error.details))
        if info is not None:
            any_ = any_pb2.Any()
            any_.Pack(info)
            status.details.append(any_)
        context.set_trailing_metadata(
            pairs(definition.response_trailers)
            + (("grpc-status-details-bin", status.SerializeToString()),))
        code = next(code for code in grpc.StatusCode if code.value[0] == error.code)
        context.abort(code, error.message)

    def answer(self, context, requests, kind):
        """The response of a method with one response."""
        definition = requests[0].response_definition if requests \
            else self.pb.UnaryResponseDefinition()
        self.begin(context, definition)
        time.sleep(definition.response_delay_ms / 1_000)
        info = self.info(context, requests)
        if definition.HasField("error"):
            self.fail(context, definition, info)
        return kind(payload=self.pb.ConformancePayload(
            data=definition.response_data, request_info=info))

    def unary(self, request, context):
        return self.answer(context, [request], self.pb.UnaryResponse)

    def idempotent(self, request, context):
        return self.answer(context, [request], self.pb.IdempotentUnaryResponse)

    def client_stream(self, requests, context):
        return self.answer(context, list(requests), self.pb.ClientStreamResponse)

    def server_stream(self, request, context):
        definition = request.response_definition
        self.begin(context, definition)
        yield from self.replies(
            context, definition, definition.response_data, [request],
            self.pb.ServerStreamResponse)

    def replies(self, context, definition, data, requests, kind):
        """Replies, of which the first says what was received; then the error, if any."""
        info = self.info(context, requests)
        for one in data:
            time.sleep(definition.response_delay_ms / 1_000)
            yield kind(payload=self.pb.ConformancePayload(data=one, request_info=info))
            info = None
        if definition.HasField("error"):
            self.fail(context, definition, info)

    def bidi_stream(self, requests, context):
        definition, received, sent = None, [], 0
        for request in requests:
            received.append(request)
            if definition is None:
                definition = request.response_definition
                self.begin(context, definition)
                duplex = request.full_duplex
            if not duplex or sent >= len(definition.response_data):
                continue
            info = self.info(context, [request])
            if sent:
                info = self.pb.ConformancePayload.RequestInfo(requests=info.requests)
            time.sleep(definition.response_delay_ms / 1_000)
            yield self.pb.BidiStreamResponse(payload=self.pb.ConformancePayload(
                data=definition.response_data[sent], request_info=info))
            sent += 1
        if definition is None:
            return
        if duplex and sent:
            rest = definition.response_data[sent:]
            for one in rest:
                time.sleep(definition.response_delay_ms / 1_000)
                yield self.pb.BidiStreamResponse(
                    payload=self.pb.ConformancePayload(data=one))
            if definition.HasField("error"):
                self.fail(context, definition, None)
            return
        yield from self.replies(
            context, definition, definition.response_data, received, self.pb.BidiStreamResponse)

    def unimplemented(self, request, context):
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "not implemented")


def pairs(headers):
    return tuple(
        (header.name.lower(), value) for header in headers for value in header.value)


def start(pb):
    """Starts a server; returns it and its address."""
    service = Service(pb)

    def handler(make, method, request):
        return make(method, request_deserializer=request.FromString,
                    response_serializer=lambda message: message.SerializeToString())

    handlers = {
        "Unary": handler(
            grpc.unary_unary_rpc_method_handler, service.unary, pb.UnaryRequest),
        "IdempotentUnary": handler(
            grpc.unary_unary_rpc_method_handler, service.idempotent, pb.IdempotentUnaryRequest),
        "ServerStream": handler(
            grpc.unary_stream_rpc_method_handler, service.server_stream,
            pb.ServerStreamRequest),
        "ClientStream": handler(
            grpc.stream_unary_rpc_method_handler, service.client_stream, pb.ClientStreamRequest),
        "BidiStream": handler(
            grpc.stream_stream_rpc_method_handler, service.bidi_stream, pb.BidiStreamRequest),
        "Unimplemented": handler(
            grpc.unary_unary_rpc_method_handler, service.unimplemented,
            pb.UnimplementedRequest),
    }
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(16),
        options=[("grpc.max_receive_message_length", LIMIT)])
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(SERVICE, handlers)])
    reflection.enable_server_reflection([SERVICE], server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, f"127.0.0.1:{port}"
