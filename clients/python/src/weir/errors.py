"""What a call ends with when it does not end well; each says what Weir said."""

from __future__ import annotations

from typing import Dict, Mapping, Optional, Tuple, Type

import grpc
from google.rpc import error_details_pb2, status_pb2


class WeirError(Exception):
    """A call that ended with a status other than OK.

    `message` is the sentence, `code` the gRPC status, `field` the field of the request that is
    wrong, and `reason` the rule that refused it (`REVISION_CONFLICT`, ...), where they are known.
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


class NotFound(WeirError):
    """No such backend, endpoint or revision; the message names those that there are."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(WeirError):
    """The name or the route is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS


class InvalidArgument(WeirError):
    """Something in the request can't be right, whatever the state."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class InvalidTraffic(InvalidArgument):
    """Weights that are no policy, or a proportion outside 0 to 1."""


class InvalidRoute(InvalidArgument):
    """A route that is none."""


class FailedPrecondition(WeirError):
    """The state is not one in which this can be done."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class BackendInUse(FailedPrecondition):
    """A policy or a shadow still names the backend."""


class RevisionConflict(WeirError):
    """The state has changed: `expected_revision` is not the current one."""

    code = grpc.StatusCode.ABORTED


class RevisionNotKept(WeirError):
    """A revision that is forgotten, or lies in the future."""

    code = grpc.StatusCode.OUT_OF_RANGE


class Unavailable(WeirError):
    """Nobody answers: no server, no usable replica, or no store."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(WeirError):
    """There was no answer in time."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class ResourceExhausted(WeirError):
    """A limit is reached."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unimplemented(WeirError):
    """No endpoint takes the path, or the backend has no such method."""

    code = grpc.StatusCode.UNIMPLEMENTED


class PermissionDenied(WeirError):
    """The caller may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class Unauthenticated(WeirError):
    """The caller has not said, or not proved, who it is."""

    code = grpc.StatusCode.UNAUTHENTICATED


class Cancelled(WeirError):
    """The call was given up."""

    code = grpc.StatusCode.CANCELLED


class BackendFailed(WeirError):
    """The backend's code failed; its process has logged how."""

    code = grpc.StatusCode.UNKNOWN


_BY_CODE: Dict[grpc.StatusCode, Type[WeirError]] = {
    kind.code: kind
    for kind in (
        NotFound, AlreadyExists, InvalidArgument, FailedPrecondition, RevisionConflict,
        RevisionNotKept, Unavailable, DeadlineExceeded, ResourceExhausted, Unimplemented,
        PermissionDenied, Unauthenticated, Cancelled, BackendFailed,
    )
}

# Fields of requests that are about shares of traffic.
_TRAFFIC_FIELDS = {"weights", "proportion"}


def from_rpc(error: grpc.RpcError) -> WeirError:
    """The exception for an error of grpcio, with the details that Weir sends."""
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
    """Field, reason and metadata out of `grpc-status-details-bin`."""
    # Pairs, of grpcio as of grpc.aio.
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
