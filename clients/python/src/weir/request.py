"""The request that a backend receives: an HTTP request, or a call by handle.

The attributes are those of Ray Serve 1.0, whose requests are Flask's for HTTP: `args`, `form`,
`json`, `data`, `headers` and `method`.
"""

from __future__ import annotations

import email.parser
import email.policy
import urllib.parse
from dataclasses import dataclass, field
from typing import (
    Any, Callable, Dict, Generator, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple,
    Union,
)

from weir import payload
from weir.v1 import serve_pb2

FORM = "application/x-www-form-urlencoded"


class MultiDict(Dict[str, Any]):
    """Values by name. `args[name]` is the first value, `args.getlist(name)` all of them."""

    def __init__(self, pairs: Iterable[Tuple[str, Any]] = ()) -> None:
        self._lists: Dict[str, List[Any]] = {}
        for name, value in pairs:
            self._lists.setdefault(name, []).append(value)
        super().__init__((name, values[0]) for name, values in self._lists.items())

    def getlist(self, key: str, type: Optional[Callable[[Any], Any]] = None) -> List[Any]:
        """All values of a name; a value that is a list counts as its elements."""
        values = self._lists.get(key, [])
        if len(values) == 1 and isinstance(values[0], (list, tuple)):
            values = list(values[0])
        return list(values) if type is None else [type(value) for value in values]

    def get(
        self, key: str, default: Any = None, type: Optional[Callable[[Any], Any]] = None
    ) -> Any:
        """The first value of a name, converted by `type`; the default if it cannot be."""
        if key not in self:
            return default
        if type is None:
            return self[key]
        try:
            return type(self[key])
        except (TypeError, ValueError):
            return default


class Headers(Mapping[str, str]):
    """Headers by name in any case. Several values of a name are joined with commas."""

    def __init__(self, pairs: Union[Mapping[str, str], Iterable[Tuple[str, str]]] = ()) -> None:
        given = pairs.items() if isinstance(pairs, Mapping) else pairs
        self._values: Dict[str, List[str]] = {}
        for name, value in given:
            self._values.setdefault(name.lower(), []).append(value)

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def getlist(self, name: str) -> List[str]:
        """All values of a name."""
        return list(self._values.get(name.lower(), []))

    def __json__(self) -> Dict[str, str]:
        return dict(self)

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"


class _Called:
    """A value that also returns itself when it is called or awaited.

    `request.json`, `request.json()` and `await request.json()` are the same value.
    """

    def __call__(self) -> Any:
        return self

    def __await__(self) -> Generator[Any, None, Any]:
        return _plain(self)
        yield


class _Dict(_Called, Dict[str, Any]):
    pass


class _List(_Called, List[Any]):
    pass


class _Text(_Called, str):
    pass


class _Int(_Called, int):
    pass


class _Float(_Called, float):
    pass


class _Constant(_Called):
    """None, True or False, which have no subclasses. It equals its value."""

    def __init__(self, value: Optional[bool]) -> None:
        self._value = value

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, _Constant) else other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return repr(self._value)

    def __reduce__(self) -> Any:
        return _Constant, (self._value,)

    def __json__(self) -> Any:
        return self._value


_KINDS: Tuple[Tuple[type, Callable[[Any], Any]], ...] = (
    (dict, _Dict), (list, _List), (str, _Text), (bool, _Constant), (int, _Int),
    (float, _Float))


def _called(value: Any) -> Any:
    for kind, called in _KINDS:
        if isinstance(value, kind):
            return called(value)
    return _Constant(None) if value is None else value


def _plain(value: Any) -> Any:
    return value._value if isinstance(value, _Constant) else value


@dataclass(frozen=True)
class Request:
    """A request to a backend: an HTTP request, or a call by handle."""

    body: bytes = b""
    content_type: str = payload.JSON
    """The media type of the body; empty for an HTTP request without one."""
    endpoint: str = ""
    """The endpoint of the request."""
    method: str = "GET"
    """`GET`, `POST`, ...; `GET` for a call by handle that does not set it."""
    path: str = ""
    """The path without the query; empty for a call by handle."""
    query_params: Mapping[str, str] = field(default_factory=dict)
    """The last value of each name, as text; `args` has all values and their types."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=Headers)
    """Headers by name in any case; several values of a name are joined with commas."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """gRPC's metadata, by name in lower case."""
    shard_key: Optional[str] = None
    is_shadow: bool = False
    """Whether this is a copy, whose response is discarded: omit side effects."""
    arguments: Sequence[Any] = field(default=(), repr=False)
    """The keyword arguments of a call by handle, encoded; `args` has their values."""
    serializer: Optional[str] = field(default=None, repr=False)

    @property
    def data(self) -> Any:
        """The body as a value: parsed JSON, text, or bytes.

        Raises InvalidArgument for invalid JSON. The body of an HTTP request without a media type is
        bytes, or None if it is empty.
        """
        if not self.content_type:
            return self.body or None
        return payload.decode(self.body, self.content_type, allow_pickle=self._takes_pickle)

    @property
    def json(self) -> Any:
        """The body as JSON, independently of its media type.

        `request.json`, `request.json()` and `await request.json()` are the same. Raises
        InvalidArgument for invalid JSON. Compare null, true and false with `==`.
        """
        if self.is_pickled:
            return _called(self.data)
        return _called(payload.parse_json(self.body) if self.body else None)

    @property
    def args(self) -> MultiDict:
        """The keyword arguments of a call by handle, with their types, or the query as text."""
        if not self.arguments:
            return MultiDict(urllib.parse.parse_qsl(self.query, keep_blank_values=True))
        return MultiDict(
            (one.name, payload.decode(
                one.value, one.content_type, allow_pickle=self._takes_pickle))
            for one in self.arguments)

    @property
    def form(self) -> MultiDict:
        """The fields of a form, or the dictionary of a call by handle."""
        kind = self.content_type.partition(";")[0].strip().lower()
        if kind == FORM:
            text = self.body.decode("utf-8", "replace")
            return MultiDict(urllib.parse.parse_qsl(text, keep_blank_values=True))
        if kind == "multipart/form-data":
            return MultiDict(_parts(self.body, self.content_type))
        data = self.data if not self.path else None
        return MultiDict(data.items() if isinstance(data, dict) else ())

    @property
    def is_pickled(self) -> bool:
        """Whether the body is a pickled Python object."""
        return self.content_type == payload.PICKLE

    @property
    def _takes_pickle(self) -> bool:
        # A page of a browser can send any media type over HTTP.
        return self.serializer == "pickle" and not self.path

    @classmethod
    def of(
        cls, message: serve_pb2.CallRequest, metadata: Mapping[str, Any],
        serializer: Optional[str] = None,
    ) -> "Request":
        pairs = urllib.parse.parse_qsl(message.query, keep_blank_values=True)
        return cls(
            body=message.payload,
            content_type=message.content_type or ("" if message.path else payload.JSON),
            endpoint=str(metadata.get("x-serve-endpoint", "")),
            method=message.http_method or "GET",
            path=message.path,
            query_params=dict(pairs),
            query=message.query,
            headers=Headers((header.name, header.value) for header in message.headers),
            metadata=metadata,
            shard_key=metadata.get("x-serve-shard-key"),
            is_shadow=metadata.get("x-serve-shadow") == "1",
            arguments=tuple(message.arguments),
            serializer=serializer,
        )


def _parts(body: bytes, content_type: str) -> List[Tuple[str, str]]:
    """The fields of a multipart form, without files."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
    fields = []
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        if isinstance(name, str) and part.get_filename() is None:
            content = part.get_payload(decode=True)
            if isinstance(content, bytes):
                fields.append((name, content.decode("utf-8", "replace")))
    return fields
