"""The errors of failed calls, with Weir's message.

Where Ray Serve 1.0 raises a ValueError or a KeyError, the error is one, too.
"""

from __future__ import annotations

from typing import Any, Dict, Mapping, Optional, Tuple, Type

import grpc
from google.protobuf import message
from google.rpc import error_details_pb2, status_pb2


class WeirError(Exception):
    """A call that ended with a status other than OK.

    `message` is Weir's message, `code` the gRPC status, `field` the invalid field of the request,
    and `reason` the rule that rejected it (`REVISION_CONFLICT`, ...), if known.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str = "",
        *,
        code: Optional[grpc.StatusCode] = None,
        field: Optional[str] = None,
        reason: Optional[str] = None,
        details: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.code = code or type(self).code
        self.message = message or self.code.name
        super().__init__(self.message)
        self.field = field
        self.reason = reason
        self.details: Dict[str, str] = dict(details or {})

    def __str__(self) -> str:
        # KeyError would quote the message.
        return self.message


class NotFound(WeirError, KeyError, ValueError):
    """The backend, endpoint or revision does not exist; the message lists the existing ones."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(WeirError, ValueError):
    """The name or the route is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class InvalidArgument(WeirError, ValueError):
    """The request is invalid, independently of the state."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class InvalidTraffic(InvalidArgument):
    """The weights are invalid, or a proportion is outside 0 to 1."""


class InvalidRoute(InvalidArgument):
    """The route is invalid."""


class FailedPrecondition(WeirError):
    """The state does not allow the operation."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class BackendInUse(FailedPrecondition, ValueError):
    """A traffic policy or a shadow still uses the backend."""


class ClientClosed(FailedPrecondition, ValueError):
    """The client is closed, or belongs to another process."""


class Aborted(WeirError):
    """The operation was aborted, for example by a conflict with another one."""

    code = grpc.StatusCode.ABORTED


class RevisionConflict(Aborted):
    """`expected_revision` is not the current revision."""


class OutOfRange(WeirError):
    """A value is outside the valid range at present."""

    code = grpc.StatusCode.OUT_OF_RANGE


class RevisionNotKept(OutOfRange):
    """The revision is no longer kept, or is in the future."""


class Unavailable(WeirError):
    """The server, a usable replica or the store is not reachable."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(WeirError):
    """The deadline passed before the response."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class ResourceExhausted(WeirError):
    """A limit was reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unimplemented(WeirError):
    """No endpoint matches the path, or the backend does not have the method."""

    code = grpc.StatusCode.UNIMPLEMENTED


class PermissionDenied(WeirError):
    """The caller lacks the permission."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(WeirError):
    """The caller did not authenticate."""

    code = grpc.StatusCode.UNAUTHENTICATED


class Cancelled(WeirError):
    """The call was cancelled."""

    code = grpc.StatusCode.CANCELLED


class BackendFailed(WeirError):
    """The backend's code failed; its process logged the error."""

    code = grpc.StatusCode.UNKNOWN


_BY_CODE: Dict[grpc.StatusCode, Type[WeirError]] = {
    kind.code: kind
    for kind in (
        NotFound, AlreadyExists, InvalidArgument, FailedPrecondition, Aborted, OutOfRange,
        Unavailable, DeadlineExceeded, ResourceExhausted, Unimplemented,
        PermissionDenied, Unauthenticated, Cancelled, BackendFailed,
    )
}

# Rules of the server with an error of their own. Backends use the same codes for other errors.
_BY_REASON: Dict[str, Type[WeirError]] = {
    "BACKEND_IN_USE": BackendInUse,
    "REVISION_CONFLICT": RevisionConflict,
    "REVISION_NOT_KEPT": RevisionNotKept,
}

# grpcio's text for a message over its limit.
_TOO_LARGE = "message larger than max"

# Request fields for shares of traffic.
_TRAFFIC_FIELDS = {"weights", "proportion"}


def from_rpc(error: grpc.RpcError) -> WeirError:
    """Converts an error of grpcio, with the details that Weir sends."""
    code: grpc.StatusCode = error.code()
    text: str = error.details() or code.name
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and _TOO_LARGE in text:
        text += "; the limit of Weir is max-message-bytes (weir serve --limit)"
    field, reason, details = _details(error)
    kind = _BY_CODE.get(code, WeirError)
    if kind is InvalidArgument:
        last = (field or "").rsplit(".", 1)[-1]
        kind = InvalidTraffic if last in _TRAFFIC_FIELDS else kind
        kind = InvalidRoute if last == "route" else kind
    ruled = _BY_REASON.get(reason or "")
    if ruled is not None and ruled.code is code:
        kind = ruled
    return kind(text, code=code, field=field, reason=reason, details=details)


def _details(error: grpc.RpcError) -> Tuple[Optional[str], Optional[str], Dict[str, str]]:
    """Field, reason and metadata of `grpc-status-details-bin`, which any backend can send."""
    # Both grpcio and grpc.aio return pairs.
    trailing = {name: value for name, value in error.trailing_metadata() or ()}
    packed = trailing.get("grpc-status-details-bin")
    if not isinstance(packed, bytes):
        return None, None, {}
    try:
        return _unpacked(status_pb2.Status.FromString(packed))
    except message.DecodeError:
        return None, None, {}


def _unpacked(status: Any) -> Tuple[Optional[str], Optional[str], Dict[str, str]]:
    for detail in status.details:
        if detail.Is(error_details_pb2.BadRequest.DESCRIPTOR):
            bad = error_details_pb2.BadRequest()
            detail.Unpack(bad)
            if bad.field_violations:
                return bad.field_violations[0].field, None, {}
        if detail.Is(error_details_pb2.ErrorInfo.DESCRIPTOR):
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            values = dict(info.metadata)
            return values.get("field"), info.reason, values
    return None, None, {}
