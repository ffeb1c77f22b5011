"""What goes to and comes from a backend by a dynamic call (`weir.v1.Serve`)."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

from weir.v1 import serve_pb2

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"


def encode(value: Any) -> Tuple[bytes, str]:
    """A value as bytes, and their media type: bytes and text as they are, all else as JSON.

    Raises TypeError when the value has no JSON form.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES
    if isinstance(value, str):
        return value.encode(), TEXT
    return json.dumps(value).encode(), JSON


def decode(payload: bytes, content_type: str) -> Any:
    """The value that bytes of a media type stand for; bytes, where that is not known."""
    kind, _, parameters = content_type.partition(";")
    kind = kind.strip().lower() or JSON
    if kind == JSON or kind.endswith("+json"):
        return json.loads(payload) if payload else None
    if kind.startswith("text/"):
        _, _, charset = parameters.partition("charset=")
        return payload.decode(charset.strip(' "') or "utf-8", errors="replace")
    return payload


@dataclass(frozen=True)
class Request:
    """What a backend is asked: an HTTP request, or a call by handle."""

    body: bytes
    content_type: str
    endpoint: str
    """The endpoint that the request came to."""
    method: str
    """`GET`, `POST`, ...; empty for a call by handle that doesn't say."""
    path: str
    """Without the query."""
    query_params: Mapping[str, str]
    """The last value of each name; all of them are in `query`."""
    query: str
    headers: Mapping[str, str]
    """By names in lower case; several values of a name are joined with commas."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """gRPC's metadata, by names in lower case."""
    shard_key: Optional[str] = None
    is_shadow: bool = False
    """This is a copy, whose answer goes to nobody: leave side effects out."""

    @property
    def data(self) -> Any:
        """The body as a value: of JSON, text, or as it is. Raises ValueError for broken JSON."""
        return decode(self.body, self.content_type)

    def json(self) -> Any:
        """The body as JSON, whatever its type says."""
        return json.loads(self.body) if self.body else None

    @classmethod
    def of(cls, message: serve_pb2.CallRequest, metadata: Mapping[str, Any]) -> "Request":
        headers: Dict[str, str] = {}
        for header in message.headers:
            known = headers.get(header.name)
            headers[header.name] = f"{known}, {header.value}" if known else header.value
        pairs = urllib.parse.parse_qsl(message.query, keep_blank_values=True)
        return cls(
            body=message.payload,
            content_type=message.content_type or JSON,
            endpoint=str(metadata.get("x-serve-endpoint", "")),
            method=message.http_method,
            path=message.path,
            query_params=dict(pairs),
            query=message.query,
            headers=headers,
            metadata=metadata,
            shard_key=metadata.get("x-serve-shard-key"),
            is_shadow=metadata.get("x-serve-shadow") == "1",
        )


@dataclass(frozen=True)
class Response:
    """What a backend answers, with everything that an HTTP client can see of it.

    A backend may return any value instead: bytes, text, or what has a JSON form.
    """

    body: bytes
    content_type: str = BYTES
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    backend: Optional[str] = None
    """Who answered. Set for callers only."""

    @property
    def data(self) -> Any:
        """The body as a value: of JSON, text, or as it is."""
        return decode(self.body, self.content_type)

    def message(self) -> serve_pb2.CallResponse:
        return serve_pb2.CallResponse(
            payload=self.body,
            content_type=self.content_type,
            http_status=self.status,
            headers=[
                serve_pb2.Header(name=name, value=value) for name, value in self.headers.items()],
        )

    @classmethod
    def of(cls, message: serve_pb2.CallResponse, backend: Optional[str]) -> "Response":
        return cls(
            body=message.payload,
            content_type=message.content_type or JSON,
            status=message.http_status or 200,
            headers={header.name: header.value for header in message.headers},
            backend=backend,
        )
