"""The values of dynamic calls (`weir.v1.Serve`) as bytes with a media type."""

from __future__ import annotations

import json
import math
import pickle
import re
from dataclasses import dataclass, field
from typing import Any, Mapping, Optional, Tuple

from weir.errors import InvalidArgument
from weir.v1 import serve_pb2

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
PICKLE = "application/x-python-pickle"

# The values of `serializer`.
_SERIALIZERS = (None, "pickle")

# Readable by Python 3.8 and later.
_PICKLE_PROTOCOL = 5

_CHARSET = re.compile(r';\s*charset\s*=\s*(?:"([^"]*)"|([^\s;]*))', re.IGNORECASE)


class EncodingError(TypeError, ValueError):
    """A value that cannot be sent."""


def checked_serializer(serializer: Optional[str]) -> Optional[str]:
    """Returns a valid `serializer`. Raises ValueError for other values."""
    if serializer not in _SERIALIZERS:
        raise ValueError(f"invalid serializer {serializer!r}: use 'pickle', or omit it for JSON")
    return serializer


def encode(value: Any, serializer: Optional[str] = None) -> Tuple[bytes, str]:
    """Encodes a value, with its media type: bytes and text unchanged, anything else as JSON.

    Lone surrogates in text, which UTF-8 does not have, are sent as "?". With the serializer
    "pickle", all values are pickled. Raises EncodingError if the value cannot be encoded.
    """
    if serializer == "pickle":
        try:
            return pickle.dumps(value, _PICKLE_PROTOCOL), PICKLE
        except Exception as error:
            raise EncodingError(f"the value cannot be pickled: {error}") from error
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value), BYTES
    if isinstance(value, str):
        return value.encode("utf-8", "replace"), TEXT
    return _json(value), JSON


def _json(value: Any) -> bytes:
    try:
        return json.dumps(value, allow_nan=False, default=_plain).encode()
    except RecursionError:
        raise EncodingError("the value has no JSON form: it is nested too deeply") from None
    except (TypeError, ValueError) as error:
        reason = str(error)
        if reason.startswith("Out of range float"):
            place = _not_finite(value)
            reason = f"{place or 'a number in it'} is NaN or infinite; use null or text instead"
        raise EncodingError(f"the value has no JSON form: {reason}") from error


def _plain(value: Any) -> Any:
    """A value that `json` knows, for one that it does not: arrays, pydantic models and bytes."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        try:
            return bytes(value).decode()
        except UnicodeDecodeError:
            raise TypeError(
                "it contains bytes that are not UTF-8: send them alone, encode them as base64, or "
                "use serializer='pickle' for the backend and the handle") from None
    if not isinstance(value, type):
        if hasattr(value, "dtype") and hasattr(value, "tolist"):
            return value.tolist()
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        if hasattr(value, "__fields__") and hasattr(value, "dict"):
            return value.dict()
        if hasattr(value, "__json__"):
            return value.__json__()
    raise TypeError(f"an object of type {type(value).__name__} is not JSON; convert it, or use "
                    "serializer='pickle' for the backend and the handle")


def _not_finite(value: Any, place: str = "the value") -> Optional[str]:
    """The place of the first number that is not finite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else place
    if isinstance(value, dict):
        pairs = [(f"{place}[{key!r}]", part) for key, part in value.items()]
    elif isinstance(value, (list, tuple)):
        pairs = [(f"{place}[{index}]", part) for index, part in enumerate(value)]
    else:
        try:
            return _not_finite(_plain(value), place)
        except (TypeError, ValueError):
            return None
    found = (_not_finite(part, where) for where, part in pairs)
    return next((one for one in found if one), None)


def is_json(content_type: str) -> bool:
    """Whether a media type is JSON; an empty one is."""
    kind = _kind(content_type) or JSON
    return kind == JSON or kind.endswith("+json")


def _kind(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def decode(payload: bytes, content_type: str, *, allow_pickle: bool = False) -> Any:
    """Decodes bytes of a media type; returns bytes for an unknown one.

    Raises InvalidArgument if the bytes are not valid for their type.
    """
    kind = _kind(content_type)
    if kind == PICKLE:
        if not allow_pickle:
            raise InvalidArgument(
                "the value is pickled: use serializer='pickle' for the backend and the handle, if "
                "you trust every client of Weir's data port")
        try:
            return pickle.loads(payload)
        except Exception as error:
            raise InvalidArgument(f"the value cannot be unpickled: {error}") from error
    if is_json(content_type):
        return parse_json(payload) if payload else None
    if kind.startswith("text/"):
        return _text(payload, content_type)
    return payload


def parse_json(payload: bytes) -> Any:
    """Parses JSON. Raises InvalidArgument if it is invalid."""
    try:
        return json.loads(payload, parse_constant=_no_number)
    except RecursionError:
        raise InvalidArgument("the body is not valid JSON: it is nested too deeply") from None
    except ValueError as error:
        raise InvalidArgument(f"the body is not valid JSON: {error}") from None


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is not a number in JSON")


def _text(payload: bytes, content_type: str) -> str:
    found = _CHARSET.search(content_type)
    charset = (found[1] or found[2] or "").strip() if found else ""
    try:
        return payload.decode(charset or "utf-8", errors="replace")
    except (LookupError, ValueError):
        # An unknown charset, or a codec that does not support replacement.
        return payload.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Response:
    """A response of a backend, with its HTTP status and headers.

    A backend may return a plain value instead: bytes, text, or a value with a JSON form. `body` may
    be any of them, too; without `content_type`, it gets the media type of its kind.
    """

    body: Any
    content_type: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    backend: Optional[str] = None
    """The backend that answered. Set only for callers."""
    serializer: Optional[str] = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.body, bytes):
            content_type = BYTES
        else:
            body, content_type = encode(self.body)
            object.__setattr__(self, "body", body)
        if not self.content_type:
            object.__setattr__(self, "content_type", content_type)

    @property
    def data(self) -> Any:
        """The body as a value: parsed JSON, text, or bytes."""
        return decode(self.body, self.content_type, allow_pickle=self.serializer == "pickle")

    def message(self) -> serve_pb2.CallResponse:
        return serve_pb2.CallResponse(
            payload=self.body,
            content_type=self.content_type,
            http_status=self.status,
            headers=[
                serve_pb2.Header(name=name, value=str(value))
                for name, value in self.headers.items()],
        )

    @classmethod
    def of(
        cls, message: serve_pb2.CallResponse, backend: Optional[str],
        serializer: Optional[str] = None,
    ) -> "Response":
        return cls(
            body=message.payload,
            content_type=message.content_type or JSON,
            status=message.http_status or 200,
            headers={header.name: header.value for header in message.headers},
            backend=backend,
            serializer=serializer,
        )
