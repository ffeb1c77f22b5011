"""The settings of a client: its arguments, or else the variables that the tool `weir` reads."""

from __future__ import annotations

import os
from typing import List, Optional, Tuple

import grpc

from weir import _operations as operations
from weir._channels import Door

DEFAULT_ADMIN = "127.0.0.1:8001"


def admin_address(address: Optional[str]) -> str:
    """The admin address: the argument, $WEIR_ADMIN or the default."""
    return checked_address(address or os.environ.get("WEIR_ADMIN") or DEFAULT_ADMIN)


def checked_address(address: str) -> str:
    """Returns a valid address. Raises ValueError for another one."""
    if not isinstance(address, str):
        raise TypeError(f"invalid address {address!r}: use text, 'host:port'")
    host, colon, port = address.rpartition(":")
    if "://" in address or "/" in port:
        raise ValueError(f"invalid address {address!r}: use host:port, without a scheme or a path")
    if not host or not port.isdigit() or int(port) > 65_535:
        raise ValueError(f"invalid address {address!r}: use host:port, for example {DEFAULT_ADMIN}")
    return address


def author(given: Optional[str]) -> str:
    """The author of changes: the argument, $WEIR_AUTHOR or user@host."""
    if given is not None:
        return given
    return os.environ.get("WEIR_AUTHOR") or operations.this_user()


def admin_door(
    address: str, credentials: Optional[grpc.ChannelCredentials], token: Optional[str]
) -> Door:
    """The credentials of the admin port, by default those of $WEIR_ADMIN_TLS_* and $WEIR_TOKEN."""
    options: Tuple[Tuple[str, str], ...] = ()
    if credentials is None:
        credentials, options = _tls("WEIR_ADMIN_TLS")
    return Door(address, credentials, _token(token), options)


def data_door(address: str, credentials: Optional[grpc.ChannelCredentials]) -> Door:
    """The credentials of the data port, by default those of $WEIR_TLS_*."""
    options: Tuple[Tuple[str, str], ...] = ()
    if credentials is None:
        credentials, options = _tls("WEIR_TLS")
    return Door(address, credentials, None, options)


def data_address(given: Optional[str]) -> Optional[str]:
    """The data address: the argument, $WEIR_ADDRESS, or None for the one the server reports."""
    address = given or os.environ.get("WEIR_ADDRESS")
    return checked_address(address) if address else None


def _token(given: Optional[str]) -> Optional[str]:
    token = given if given is not None else os.environ.get("WEIR_TOKEN")
    if token is None:
        return None
    token = token.strip()
    if not token or any(not "!" <= character <= "~" for character in token):
        # Without the token itself.
        raise ValueError(
            "invalid token: it is empty, or contains a space or a character outside ASCII")
    return token


def _tls(prefix: str) -> Tuple[Optional[grpc.ChannelCredentials], Tuple[Tuple[str, str], ...]]:
    """The credentials and channel options of variables; None for plaintext."""
    authorities = _read(f"{prefix}_CA")
    certificate = _read(f"{prefix}_CERT")
    if authorities is None and certificate is None:
        return None, ()
    key = _read(f"{prefix}_KEY")
    if (certificate is None) != (key is None):
        raise ValueError(f"set both {prefix}_CERT and {prefix}_KEY, or neither")
    name = os.environ.get(f"{prefix}_SERVER_NAME")
    options: List[Tuple[str, str]] = [("grpc.ssl_target_name_override", name)] if name else []
    return grpc.ssl_channel_credentials(authorities, key, certificate), tuple(options)


def _read(variable: str) -> Optional[bytes]:
    path = os.environ.get(variable)
    if not path:
        return None
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise ValueError(f"{variable}: cannot read {path!r}: {error.strerror}") from None
