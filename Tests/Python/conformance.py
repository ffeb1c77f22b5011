"""Plays the cases of the public Connect conformance suite for servers against an address."""

import base64
import gzip
import itertools
import json
import struct
import urllib.parse

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory
from google.rpc import status_pb2

import web
from conformance_server import LIMIT, SERVICE

CONNECT, GRPC, GRPC_WEB = "PROTOCOL_CONNECT", "PROTOCOL_GRPC", "PROTOCOL_GRPC_WEB"
METHODS = {
    "STREAM_TYPE_UNARY": "Unary", "STREAM_TYPE_CLIENT_STREAM": "ClientStream",
    "STREAM_TYPE_SERVER_STREAM": "ServerStream",
    "STREAM_TYPE_HALF_DUPLEX_BIDI_STREAM": "BidiStream",
    "STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM": "BidiStream",
}
# HTTP statuses of Connect, and the code of a response that has no error of Connect.
BY_STATUS = {400: "internal", 401: "unauthenticated", 403: "permission_denied",
             404: "unimplemented", 429: "unavailable", 502: "unavailable", 503: "unavailable",
             504: "unavailable"}


class Result:
    """What a client has received: metadata, payloads and the error."""

    def __init__(self, status):
        self.status = status
        self.headers, self.trailers, self.messages = {}, {}, []
        self.code, self.message, self.details = None, "", []


class Variant:
    """One case with a protocol, a version of HTTP, a codec and a compression."""

    def __init__(self, suite, case, protocol, version, codec, compression):
        self.case, self.request = case, case["request"]
        self.protocol, self.version = protocol, version
        self.codec, self.compression = codec, compression
        self.raw = self.request.get("rawRequest")
        self.stream_type = self.request["streamType"]
        self.name = "/".join([
            suite["name"], protocol[len("PROTOCOL_"):], version.version, codec, compression,
            self.request["testName"]])

    @property
    def is_stream(self):
        return self.stream_type != "STREAM_TYPE_UNARY"

    @property
    def path(self):
        service = self.request.get("service", SERVICE)
        return f"/{service}/{self.request.get('method', METHODS[self.stream_type])}"

    # The request.

    def messages(self):
        found = [message_of(value) for value in self.request.get("requestMessages", [])]
        for message, expand in zip(found, self.case.get("expandRequests", [])):
            if "sizeRelativeToLimit" in expand:
                pad(message, LIMIT + expand["sizeRelativeToLimit"])
        return found

    def encode(self, message):
        if self.codec == "json":
            return json_format.MessageToJson(message, indent=None).encode()
        return message.SerializeToString()

    def fields(self):
        fields = []
        for header in self.request.get("requestHeaders", []):
            fields += [(header["name"].lower(), value) for value in header["value"]]
        timeout = self.request.get("timeoutMs")
        gzipped = self.compression == "gzip"
        if self.protocol == CONNECT:
            prefix = "connect-" if self.is_stream else ""
            kind = "connect+" if self.is_stream else ""
            fields += [("content-type", f"application/{kind}{self.codec}"),
                       ("connect-protocol-version", "1"),
                       (prefix + "accept-encoding", "gzip" if gzipped else "identity")]
            if gzipped:
                fields.append((prefix + "content-encoding", "gzip"))
            if timeout:
                fields.append(("connect-timeout-ms", str(timeout)))
        else:
            kind = "grpc-web" if self.protocol == GRPC_WEB else "grpc"
            fields += [("content-type", f"application/{kind}+{self.codec}"),
                       ("grpc-accept-encoding", "gzip" if gzipped else "identity")]
            if kind == "grpc":
                fields.append(("te", "trailers"))
            if gzipped:
                fields.append(("grpc-encoding", "gzip"))
            if timeout:
                fields.append(("grpc-timeout", f"{timeout}m"))
        return fields

    def run(self, client):
        if self.raw:
            fields, body = [], b""
            for header in self.raw.get("headers", []):
                fields += [(header["name"], value) for value in header["value"]]
            if "unary" in self.raw:
                body = contents(self.raw["unary"])
            for item in self.raw.get("stream", {}).get("items", []):
                payload = contents(item["payload"])
                body += struct.pack(">BI", item["flags"], len(payload)) + payload
            response = client.ask(self.raw["verb"], self.raw["uri"], fields, body)
        elif self.request.get("useGetHttpMethod"):
            fields = [field for field in self.fields() if field[0] != "content-type"]
            message = self.encode(self.messages()[0])
            query = urllib.parse.urlencode({
                "connect": "v1", "encoding": self.codec, "base64": "1",
                "message": base64.urlsafe_b64encode(message).decode().rstrip("=")})
            response = client.ask("GET", f"{self.path}?{query}", fields)
        else:
            gzipped = self.compression == "gzip"
            encoded = [self.encode(message) for message in self.messages()]
            encoded = [gzip.compress(one) if gzipped and one else one for one in encoded]
            if self.protocol == CONNECT and not self.is_stream:
                body = encoded[0]
            else:
                body = b"".join(
                    struct.pack(">BI", int(gzipped and len(one) > 0), len(one)) + one
                    for one in encoded)
            response = client.ask("POST", self.path, self.fields(), body)
        return self.read(response)

    # The response.

    def decode(self, payload, compressed=False):
        kind = message_type(f"{METHODS[self.stream_type]}Response")
        if "IdempotentUnary" in self.path:
            kind = message_type("IdempotentUnaryResponse")
        payload = gzip.decompress(payload) if compressed else payload
        if self.codec == "json":
            return json_format.Parse(payload, kind())
        return kind.FromString(payload)

    def read(self, response):
        result = Result(response.status)
        fields = {name: split_list(value) for name, value in response.fields.items()}
        content_type = response.fields.get("content-type", "")
        if self.protocol == CONNECT and not self.is_stream:
            result.headers = fields
            result.trailers = {
                name[len("trailer-"):]: values for name, values in fields.items()
                if name.startswith("trailer-")}
            if response.status == 200:
                compressed = response.fields.get("content-encoding") == "gzip"
                result.messages = [self.decode(response.body, compressed)]
            else:
                read_connect_error(result, response.json if content_type == "application/json"
                                   else {}, response.status)
        elif response.status != 200:
            result.headers = fields
            result.code = BY_STATUS.get(response.status, "unknown")
        elif self.protocol == CONNECT:
            result.headers = fields
            *frames, (flag, end) = response.frames
            assert flag & 2 and content_type.startswith("application/connect+")
            end = json.loads(gzip.decompress(end) if flag & 1 else end)
            result.messages = [self.decode(payload, flag & 1) for flag, payload in frames]
            result.trailers = {
                name.lower(): values for name, values in end.get("metadata", {}).items()}
            if "error" in end:
                read_connect_error(result, end["error"], 200)
        else:
            frames, trailers = response.frames, {}
            result.headers = fields
            if self.protocol == GRPC_WEB and frames and frames[-1][0] & 0x80:
                for line in frames.pop()[1].decode().split("\r\n")[:-1]:
                    name, value = line.split(": ", 1)
                    trailers.setdefault(name, []).append(value)
            else:
                # Trailers-only, or the trailers of HTTP/2.
                trailers = fields
            result.trailers = trailers
            result.messages = [self.decode(payload, flag & 1) for flag, payload in frames]
            read_grpc_status(result, trailers)
        return result

    # The expectation.

    def expected(self):
        """Headers, trailers, payloads, and the code, message and details of the error."""
        given = self.case.get("expectedResponse")
        if given is not None:
            error = given.get("error", {})
            return ({}, {}, None, error.get("code"), None, error.get("details"))
        messages = self.messages()
        if self.raw:
            messages = [message_of(value) for value in self.request["requestMessages"]]
        definition = getattr(messages[0], "response_definition", None)
        headers = {header.name.lower(): list(header.value)
                   for header in definition.response_headers}
        trailers = {header.name.lower(): list(header.value)
                    for header in definition.response_trailers}
        if self.stream_type in ("STREAM_TYPE_UNARY", "STREAM_TYPE_CLIENT_STREAM"):
            data = [] if definition.HasField("error") else [definition.response_data]
        else:
            data = list(definition.response_data)
        code = None
        if definition.HasField("error"):
            code = definition.error.DESCRIPTOR.fields_by_name["code"].enum_type.values_by_number[
                definition.error.code].name
        message = definition.error.message if definition.HasField("error") else None
        return headers, trailers, data, code, message, None

    def failures(self, result):
        """The differences between the expectation and a result."""
        headers, trailers, data, code, message, details = self.expected()
        found = []
        wanted = code[len("CODE_"):].lower() if code else None
        others = [other[len("CODE_"):].lower()
                  for other in self.case.get("otherAllowedErrorCodes", [])]
        if result.code != wanted and result.code not in others:
            found.append(f"code {result.code} ({result.message}), not {wanted}")
        status = self.case.get("expectedResponse", {}).get("httpStatusCode")
        if status and result.status != status:
            found.append(f"HTTP status {result.status}, not {status}")
        if message is not None and result.message != message:
            found.append(f"message {result.message!r}, not {message!r}")
        for name, values in headers.items():
            # Without messages, gRPC has all metadata in the trailers.
            if result.headers.get(name) != values and result.trailers.get(name) != values:
                found.append(f"header {name} {result.headers.get(name)}, not {values}")
        for name, values in trailers.items():
            if result.trailers.get(name) != values:
                found.append(f"trailer {name} {result.trailers.get(name)}, not {values}")
        if data is not None:
            payloads = [message.payload for message in result.messages]
            if [payload.data for payload in payloads] != data:
                found.append(f"data {[payload.data for payload in payloads]}, not {data}")
            found += self.request_failures(result, payloads, wanted)
        return found

    def request_failures(self, result, payloads, code):
        """What the server has not received as the client has sent it."""
        if payloads:
            info = payloads[0].request_info
        else:
            type_name = f"{SERVICE.rsplit('.', 1)[0]}.ConformancePayload.RequestInfo"
            packed = [value for name, value in result.details if name == type_name]
            if not packed:
                return ["no details of the request"] if code else []
            info = message_type("ConformancePayload.RequestInfo").FromString(packed[0])
        found = []
        received = {header.name: list(header.value) for header in info.request_headers}
        for header in self.request.get("requestHeaders", []):
            values = received.get(header["name"].lower())
            if values != header["value"] and values != [", ".join(header["value"])]:
                found.append(f"the request's header {header['name']} is {values}")
        timeout = self.request.get("timeoutMs")
        if timeout and not 0 < info.timeout_ms <= timeout:
            found.append(f"the deadline is {info.timeout_ms} ms")
        duplex = self.stream_type == "STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM"
        sent = self.messages()[:1 if duplex and payloads else None]
        requests = []
        for one in info.requests:
            kind = message_type(one.TypeName().rsplit(".", 1)[1])
            requests.append(kind.FromString(one.value))
        if requests != sent:
            found.append(f"the server received {len(requests)} requests, or other ones")
        return found


def read_connect_error(result, error, status):
    result.code = error.get("code") or BY_STATUS.get(status, "unknown")
    # The JSON of a refusal that is not of Connect.
    result.code = result.code if result.code.islower() else BY_STATUS.get(status, "unknown")
    result.message = error.get("message", "")
    for detail in error.get("details", []):
        value = detail["value"] + "=" * (-len(detail["value"]) % 4)
        result.details.append((detail["type"], base64.b64decode(value)))


def read_grpc_status(result, trailers):
    number = int(trailers["grpc-status"][0])
    if number == 0:
        return
    code = message_type("Error").DESCRIPTOR.fields_by_name["code"].enum_type
    result.code = code.values_by_number[number].name[len("CODE_"):].lower()
    result.message = urllib.parse.unquote(", ".join(trailers.get("grpc-message", [""])))
    if "grpc-status-details-bin" in trailers:
        [value] = trailers["grpc-status-details-bin"]
        status = status_pb2.Status.FromString(base64.b64decode(value + "=" * (-len(value) % 4)))
        result.details = [(any_.TypeName(), any_.value) for any_ in status.details]


def split_list(value):
    return value.split(", ")


def message_type(name):
    package = SERVICE.rsplit(".", 1)[0]
    return message_factory.GetMessageClass(
        descriptor_pool.Default().FindMessageTypeByName(f"{package}.{name}"))


def message_of(value):
    any_ = json_format.ParseDict(value, any_pb2.Any())
    return message_type(any_.TypeName().rsplit(".", 1)[1]).FromString(any_.value)


def contents(payload):
    """The bytes of a raw body, compressed with what Weir does not know if the case says so."""
    if "binary" in payload:
        return payload["binary"].encode()
    return message_of(payload["binary_message"]).SerializeToString()


def pad(message, size):
    """Extends a message to a size."""
    missing = size - message.ByteSize()
    message.request_data += b"x" * max(0, missing - 8)
    while message.ByteSize() < size:
        message.request_data += b"x"
    assert message.ByteSize() == size


def variants(suite, case):
    """The combinations in which a case applies."""
    protocols = suite.get("relevantProtocols", [CONNECT, GRPC, GRPC_WEB])
    codecs = suite.get("relevantCodecs", ["CODEC_PROTO", "CODEC_JSON"])
    compressions = suite.get(
        "relevantCompressions", ["COMPRESSION_IDENTITY", "COMPRESSION_GZIP"])
    for protocol, version, codec, compression in itertools.product(
            protocols, web.VERSIONS, codecs, compressions):
        codec = codec[len("CODEC_"):].lower()
        if protocol == GRPC and (version is web.HTTP1 or codec == "json"):
            # gRPC needs HTTP/2, and Weir passes its messages on.
            continue
        duplex = case["request"]["streamType"] == "STREAM_TYPE_FULL_DUPLEX_BIDI_STREAM"
        if duplex and version is web.HTTP1:
            continue
        yield Variant(suite, case, protocol, version, codec,
                      compression[len("COMPRESSION_"):].lower())
