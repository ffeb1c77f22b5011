"""Which web pages may send requests to an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

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
