"""Settings of an endpoint for requests of HTTP that are not gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional, Sequence

from weir.admin.v1 import admin_pb2


@dataclass(frozen=True)
class CorsPolicy:
    """The web pages whose scripts may send requests to an endpoint (CORS)."""

    origins: Sequence[str]
    """The origins of the pages, for example `"https://app.example"`; `"*"` for all."""
    headers: Sequence[str] = ()
    """Further request headers that scripts may set."""
    exposed_headers: Sequence[str] = ()
    """Further response headers that scripts may read."""
    credentials: bool = False
    """Whether browsers may send cookies and certificates."""

    def __post_init__(self) -> None:
        # As the server returns them.
        for name in ("origins", "headers", "exposed_headers"):
            values = getattr(self, name)
            if isinstance(values, str):
                raise TypeError(f"{name} must be a list of text, not {values!r}")
            object.__setattr__(self, name, tuple(sorted({value.lower() for value in values})))

    @classmethod
    def of(cls, message: admin_pb2.CorsPolicy) -> "CorsPolicy":
        return cls(
            tuple(message.origins), tuple(message.headers), tuple(message.exposed_headers),
            message.credentials)

    def message(self) -> admin_pb2.CorsPolicy:
        return admin_pb2.CorsPolicy(
            origins=self.origins, headers=self.headers, exposed_headers=self.exposed_headers,
            credentials=self.credentials)


@dataclass(frozen=True)
class HttpShardKey:
    """The place of the shard key in requests of HTTP that are not gRPC and lack the header."""

    cookie: str = ""
    """The name of a cookie; empty for none."""
    query: str = ""
    """The name of a query parameter, which counts after the cookie; empty for none."""

    @classmethod
    def of(cls, message: admin_pb2.HttpShardKey) -> "HttpShardKey":
        return cls(message.cookie, message.query)

    def message(self) -> Optional[admin_pb2.HttpShardKey]:
        if not self.cookie and not self.query:
            return None
        return admin_pb2.HttpShardKey(cookie=self.cookie, query=self.query)
