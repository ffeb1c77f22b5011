"""Channels to the two ports of a Weir, with or without TLS and tokens."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional, Tuple

import grpc
import grpc.aio


class Door(NamedTuple):
    """The credentials of a port."""

    address: str
    credentials: Optional[grpc.ChannelCredentials] = None
    token: Optional[str] = None
    options: Tuple[Tuple[str, Any], ...] = ()

    def channel(self) -> grpc.Channel:
        """A channel for use by threads."""
        credentials = self._all()
        if credentials is None:
            return grpc.insecure_channel(self.address, self.options)
        return grpc.secure_channel(self.address, credentials, self.options)

    def aio_channel(self) -> grpc.aio.Channel:
        """A channel for use by an event loop."""
        credentials = self._all()
        if credentials is None:
            return grpc.aio.insecure_channel(self.address, self.options)
        return grpc.aio.secure_channel(self.address, credentials, self.options)

    def _all(self) -> Optional[grpc.ChannelCredentials]:
        if self.token is None:
            return self.credentials
        credentials = self.credentials
        if credentials is None:
            host = self.address.rpartition(":")[0].strip("[]")
            if not (host in ("", "localhost", "::1") or host.startswith("127.")):
                raise ValueError(
                    f"sending a token to {self.address} requires TLS: set WEIR_ADMIN_TLS_CA, or "
                    "give credentials=grpc.ssl_channel_credentials(...)")
            # Plaintext; grpcio ensures that the connection stays on this machine.
            credentials = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)
        return grpc.composite_channel_credentials(
            credentials, grpc.access_token_call_credentials(self.token))
