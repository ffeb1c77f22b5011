"""Requests and responses of dynamic calls (`weir.v1.Serve`)."""

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
    """Encodes a value, with its media type: bytes and text unchanged, anything else as JSON.

    Raises TypeError if the value has no JSON form.
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES
    if isinstance(value, str):
        return value.encode(), TEXT
    return json.dumps(value).encode(), JSON


def decode(payload: bytes, content_type: str) -> Any:
    """Decodes bytes of a media type; returns bytes for other media types."""
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
    """A request to a backend: an HTTP request, or a call by handle."""

    body: bytes
    content_type: str
    endpoint: str
    """The endpoint of the request."""
    method: str
    """`GET`, `POST`, ...; empty for a call by handle that does not set it."""
    path: str
    """The path without the query."""
    query_params: Mapping[str, str]
    """The last value of each name; `query` has all values."""
    query: str
    headers: Mapping[str, str]
    """Headers by name in lower case; several values of a name are joined with commas."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """gRPC's metadata, by name in lower case."""
    shard_key: Optional[str] = None
    is_shadow: bool = False
    """Whether this is a copy, whose response is discarded: omit side effects."""

    @property
    def data(self) -> Any:
        """The body as a value: parsed JSON, text, or bytes. Raises ValueError for invalid JSON."""
        return decode(self.body, self.content_type)

    def json(self) -> Any:
        """The body as JSON, independently of its media type."""
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
    """A response of a backend, with its HTTP status and headers.

    A backend may return a plain value instead: bytes, text, or a value with a JSON form.
    """

    body: bytes
    content_type: str = BYTES
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    backend: Optional[str] = None
    """The backend that answered. Set only for callers."""

    @property
    def data(self) -> Any:
        """The body as a value: parsed JSON, text, or bytes."""
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
