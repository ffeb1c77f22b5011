"""The errors of failed calls, with Weir's message.

Where Ray Serve 1.0 raises a ValueError or a KeyError, the error is one, too.
"""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple, Type

import grpc
from google.rpc import error_details_pb2, status_pb2


class WeirError(Exception):
    """A call that ended with a status other than OK.

    `message` is Weir's message, `code` the gRPC status, `field` the invalid field of the request,
    and `reason` the rule that rejected it (`REVISION_CONFLICT`, ...), if known.
    """

    code: grpc.StatusCode = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        message: str,
        *,
        code: Optional[grpc.StatusCode] = None,
        field: Optional[str] = None,
        reason: Optional[str] = None,
        details: Optional[Mapping[str, str]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
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


class RevisionConflict(WeirError):
    """`expected_revision` is not the current revision."""

    code = grpc.StatusCode.ABORTED


class RevisionNotKept(WeirError):
    """The revision is no longer kept, or is in the future."""

    code = grpc.StatusCode.OUT_OF_RANGE


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
        NotFound, AlreadyExists, InvalidArgument, FailedPrecondition, RevisionConflict,
        RevisionNotKept, Unavailable, DeadlineExceeded, ResourceExhausted, Unimplemented,
        PermissionDenied, Unauthenticated, Cancelled, BackendFailed,
    )
}

# Request fields for shares of traffic.
_TRAFFIC_FIELDS = {"weights", "proportion"}


def from_rpc(error: grpc.RpcError) -> WeirError:
    """Converts an error of grpcio, with the details that Weir sends."""
    code: grpc.StatusCode = error.code()
    message: str = error.details() or code.name
    field, reason, details = _details(error)
    kind = _BY_CODE.get(code, WeirError)
    if kind is InvalidArgument:
        last = (field or "").rsplit(".", 1)[-1]
        kind = InvalidTraffic if last in _TRAFFIC_FIELDS else kind
        kind = InvalidRoute if last == "route" else kind
    elif reason == "BACKEND_IN_USE":
        kind = BackendInUse
    return kind(message, code=code, field=field, reason=reason, details=details)


def _details(error: grpc.RpcError) -> Tuple[Optional[str], Optional[str], Dict[str, str]]:
    """Field, reason and metadata of `grpc-status-details-bin`."""
    # Both grpcio and grpc.aio return pairs.
    trailing = {name: value for name, value in error.trailing_metadata() or ()}
    packed = trailing.get("grpc-status-details-bin")
    if not isinstance(packed, bytes):
        return None, None, {}
    for detail in status_pb2.Status.FromString(packed).details:
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
