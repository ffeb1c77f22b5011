"""The calls of the admin service as values: the request, and the conversion of the response.

`Client` and `aio.Client` both use them.
"""

from __future__ import annotations

import datetime
import getpass
import json
import socket
import sys
from dataclasses import dataclass, replace
from typing import Any, Callable, Dict, Generic, List, Mapping, Optional, Sequence, Type, TypeVar

from google.protobuf import json_format

from weir import _arguments, errors, types
from weir.admin.v1 import admin_pb2 as pb
from weir.affinity import ShardKey
from weir.config import BackendConfig, worker_options

T = TypeVar("T")

SERVICE = "/weir.admin.v1.Admin/"


@dataclass(frozen=True)
class Operation(Generic[T]):
    """A call: the method, its request, the type of its response, and its conversion."""

    method: str
    request: Any
    reply: Type[Any]
    read: Callable[[Any], T]


@dataclass(frozen=True)
class ChangeOptions:
    """The options of a change."""

    expected_revision: Optional[int] = None
    validate_only: bool = False
    comment: str = ""
    author: str = ""

    def trial(self) -> "ChangeOptions":
        """The same options for a change that is only checked."""
        return replace(self, validate_only=True)

    def latest(self) -> "ChangeOptions":
        """The same options at the latest revision, for the second change of a pair."""
        return replace(self, expected_revision=None)

    def fields(self) -> Dict[str, Any]:
        fields: Dict[str, Any] = {
            "validate_only": self.validate_only,
            "note": pb.ChangeNote(author=self.author, comment=self.comment),
        }
        if self.expected_revision is not None:
            fields["expected_revision"] = self.expected_revision
        return fields


def this_user() -> str:
    """The default author of changes: user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


# Changes.


def create_backend(backend: pb.Backend, options: ChangeOptions) -> Operation[types.Backend]:
    request = pb.CreateBackendRequest(backend=backend, **options.fields())
    return Operation("CreateBackend", request, pb.Backend, types.Backend.of)


def update_backend(backend: pb.Backend, options: ChangeOptions) -> Operation[types.Backend]:
    request = pb.UpdateBackendRequest(backend=backend, **options.fields())
    return Operation("UpdateBackend", request, pb.Backend, types.Backend.of)


def delete_backend(name: str, options: ChangeOptions) -> Operation[None]:
    request = pb.DeleteBackendRequest(name=name, **options.fields())
    return Operation("DeleteBackend", request, pb.DeleteBackendResponse, lambda reply: None)


def create_endpoint(
    name: str, backend: str, route: Optional[str], methods: Sequence[str],
    cors: Optional[types.CorsPolicy], shard_key: types.HttpShardKey, options: ChangeOptions
) -> Operation[types.Endpoint]:
    request = pb.CreateEndpointRequest(
        name=name, backend=backend, route=route or "", methods=list(methods),
        cors=None if cors is None else cors.message(), http_shard_key=shard_key.message(),
        **options.fields())
    return Operation("CreateEndpoint", request, pb.Endpoint, types.Endpoint.of)


def delete_endpoint(name: str, options: ChangeOptions) -> Operation[None]:
    request = pb.DeleteEndpointRequest(name=name, **options.fields())
    return Operation("DeleteEndpoint", request, pb.DeleteEndpointResponse, lambda reply: None)


def set_traffic(
    endpoint: str, traffic: Mapping[str, float], revert_after: Optional[float],
    confirm_within: Optional[float], override_rollout: bool, override_freeze: bool,
    options: ChangeOptions,
) -> Operation[types.TrafficChange]:
    weights = [
        pb.BackendWeight(backend=backend, weight=weight)
        for backend, weight in _arguments.weights(traffic).items()]
    request = pb.SetTrafficRequest(
        endpoint=_arguments.endpoint_name(endpoint), weights=weights,
        override_rollout=override_rollout, override_freeze=override_freeze, **options.fields())
    for name, seconds in (("revert_after", revert_after), ("confirm_within", confirm_within)):
        if seconds is not None:
            seconds = _arguments.number(name, seconds, 1, _arguments.WEEK)
            getattr(request, name).FromNanoseconds(round(seconds * 1e9))
    return Operation("SetTraffic", request, pb.SetTrafficResponse, types.TrafficChange.of)


def set_freeze(
    reason: str, until: Optional[datetime.datetime], options: ChangeOptions
) -> Operation[Optional[types.Freeze]]:
    reason = _arguments.of_kind("reason", reason, str, "a text")
    request = pb.SetFreezeRequest(frozen=True, reason=reason, **options.fields())
    if until is not None:
        request.until.FromDatetime(_arguments.time_with_zone("until", until))
    return Operation("SetFreeze", request, pb.GetFreezeResponse, types.Freeze.of)


def end_freeze(options: ChangeOptions) -> Operation[Optional[types.Freeze]]:
    request = pb.SetFreezeRequest(frozen=False, **options.fields())
    return Operation("SetFreeze", request, pb.GetFreezeResponse, types.Freeze.of)


def get_freeze() -> Operation[Optional[types.Freeze]]:
    return Operation("GetFreeze", pb.GetFreezeRequest(), pb.GetFreezeResponse, types.Freeze.of)


def confirm_traffic(endpoint: str, options: ChangeOptions) -> Operation[types.Endpoint]:
    request = pb.ConfirmTrafficRequest(
        endpoint=_arguments.endpoint_name(endpoint), **options.fields())
    return Operation("ConfirmTraffic", request, pb.Endpoint, types.Endpoint.of)


def shadow_traffic(
    endpoint: str, backend: str, proportion: float, options: ChangeOptions
) -> Operation[types.Endpoint]:
    request = pb.ShadowTrafficRequest(
        endpoint=endpoint, backend=backend, proportion=proportion, **options.fields())
    return Operation("ShadowTraffic", request, pb.Endpoint, types.Endpoint.of)


def set_rate_limit(
    endpoint: str, requests_per_second: Optional[float], burst: int, options: ChangeOptions
) -> Operation[types.Endpoint]:
    limit = None if requests_per_second is None else pb.RateLimit(
        requests_per_second=requests_per_second, burst=burst)
    request = pb.SetRateLimitRequest(endpoint=endpoint, rate_limit=limit, **options.fields())
    return Operation("SetRateLimit", request, pb.Endpoint, types.Endpoint.of)


def set_shadow_comparison(
    endpoint: str, comparison: types.ShadowComparison, options: ChangeOptions
) -> Operation[types.Endpoint]:
    request = pb.SetShadowComparisonRequest(
        endpoint=endpoint, comparison=comparison.message(), **options.fields())
    return Operation("SetShadowComparison", request, pb.Endpoint, types.Endpoint.of)


def reset_shadow_report(endpoint: str, backend: str) -> Operation[None]:
    request = pb.ResetShadowReportRequest(endpoint=endpoint, backend=backend)
    return Operation(
        "ResetShadowReport", request, pb.ResetShadowReportResponse, lambda reply: None)


def apply(
    configuration: Mapping[str, Any], options: ChangeOptions
) -> Operation[types.StateChange]:
    try:
        message = json_format.ParseDict(dict(configuration), pb.Configuration())
    except json_format.ParseError as error:
        raise ValueError(f"invalid configuration: {error}") from None
    request = pb.ApplyRequest(configuration=message, **options.fields())
    return Operation("Apply", request, pb.ApplyResponse, types.StateChange.of)


def after_plan(plan: types.StateChange, options: ChangeOptions) -> ChangeOptions:
    """The options that make exactly the planned change.

    Raises FailedPrecondition if it would remove objects.
    """
    removed = [f"{one.kind} {one.name!r}" for one in plan.changes if one.action == "remove"]
    if removed:
        raise errors.FailedPrecondition(
            f"nothing has changed: the configuration does not name {', '.join(removed)}; "
            "prune=True removes them")
    if options.expected_revision is not None or not plan.changes:
        return options
    # The revision of a plan is the one that it would create.
    return replace(options, expected_revision=max(plan.revision, 1) - 1)


def export(revision: int) -> Operation[Dict[str, Any]]:
    return Operation(
        "GetRevision", pb.GetRevisionRequest(revision=revision), pb.GetRevisionResponse,
        lambda reply: json_format.MessageToDict(reply.configuration))


def rollback(revision: int, endpoint: str, options: ChangeOptions) -> Operation[types.StateChange]:
    request = pb.RollbackRequest(revision=revision, endpoint=endpoint, **options.fields())
    return Operation("Rollback", request, pb.RollbackResponse, types.StateChange.of)


# Reads.


def get_backend(name: str) -> Operation[types.Backend]:
    return Operation(
        "GetBackend", pb.GetBackendRequest(name=name), pb.Backend, types.Backend.of)


def get_backend_message(name: str) -> Operation[pb.Backend]:
    return Operation(
        "GetBackend", pb.GetBackendRequest(name=name), pb.Backend, lambda reply: reply)


def list_backends() -> Operation[Dict[str, types.Backend]]:
    return Operation(
        "ListBackends", pb.ListBackendsRequest(), pb.ListBackendsResponse,
        lambda reply: types.named([types.Backend.of(part) for part in reply.backends]))


def get_endpoint(name: str) -> Operation[types.Endpoint]:
    return Operation(
        "GetEndpoint", pb.GetEndpointRequest(name=name), pb.Endpoint, types.Endpoint.of)


def list_endpoints() -> Operation[Dict[str, types.Endpoint]]:
    return Operation(
        "ListEndpoints", pb.ListEndpointsRequest(), pb.ListEndpointsResponse,
        lambda reply: types.named([types.Endpoint.of(part) for part in reply.endpoints]))


def explain(path: str, shard_key: Optional[ShardKey]) -> Operation[types.Explanation]:
    key = shard_key.encode() if isinstance(shard_key, str) else shard_key or b""
    where = {"path": path} if "/" in path else {"endpoint": path}
    return Operation(
        "ExplainRoute", pb.ExplainRouteRequest(shard_key=key, **where), pb.ExplainRouteResponse,
        types.Explanation.of)


def stats(endpoint: str) -> Operation[types.Stats]:
    return Operation(
        "GetStats", pb.GetStatsRequest(endpoint=endpoint), pb.Stats, types.Stats.of)


def shadow_report(endpoint: str) -> Operation[Dict[str, types.ShadowReport]]:
    return Operation(
        "GetShadowReport", pb.GetShadowReportRequest(endpoint=endpoint),
        pb.GetShadowReportResponse,
        lambda reply: {
            report.backend: types.ShadowReport.of(report) for report in reply.reports})


def history(limit: int, before: int) -> Operation[List[types.Revision]]:
    return Operation(
        "ListRevisions", pb.ListRevisionsRequest(limit=limit, before_revision=before),
        pb.ListRevisionsResponse,
        lambda reply: [types.Revision.of(part) for part in reply.revisions])


def list_instances() -> Operation[List[types.Instance]]:
    return Operation(
        "ListInstances", pb.ListInstancesRequest(), pb.ListInstancesResponse,
        lambda reply: [types.Instance.of(part) for part in reply.instances])


def watch(from_revision: int) -> Operation[types.Change]:
    return Operation(
        "Watch", pb.WatchRequest(from_revision=from_revision), pb.WatchResponse, types.Change.of)


# Backends as messages of the admin service.


def upstream(
    name: str, addresses: Sequence[str], queries: Optional[int], lease: Optional[pb.Lease] = None
) -> pb.Backend:
    return pb.Backend(
        name=name, upstream=pb.UpstreamKind(addresses=list(addresses)), lease=lease,
        options=pb.BackendOptions(max_requests_per_replica=queries or 0))


def holder(existing: pb.Backend) -> str:
    """Which program serves a backend, for the error of another program that wants its name."""
    if not existing.HasField("lease"):
        return ""
    is_gone = existing.status.lease == pb.LEASE_STATE_GONE
    return f"the program '{existing.lease.program}' {'is gone' if is_gone else 'serves it'}; "


def is_left(existing: pb.Backend, lease: pb.Lease) -> bool:
    """Whether a backend belongs to an earlier run of a program, which has ended."""
    return (existing.lease.program == lease.program
            and existing.status.lease in (pb.LEASE_STATE_LOST, pb.LEASE_STATE_GONE))


def is_again(existing: pb.Backend, backend: pb.Backend) -> bool:
    """Whether a backend has the code or the addresses of an existing one."""
    if backend.HasField("worker"):
        # This Python, `-m`, `weir.worker` and the import path.
        return (list(existing.worker.command[:4]) == list(backend.worker.command[:4])
                and existing.worker.working_directory == backend.worker.working_directory)
    return (not existing.HasField("lease") and not backend.HasField("lease")
            and bool(existing.upstream.addresses)
            and list(existing.upstream.addresses) == list(backend.upstream.addresses))


def taken_over(existing: pb.Backend, backend: pb.Backend) -> pb.Backend:
    """A backend with another program's run or settings, and the existing options of operators."""
    result = without_outputs(existing)
    if backend.HasField("worker"):
        result.worker.CopyFrom(backend.worker)
    else:
        result.upstream.CopyFrom(backend.upstream)
    result.ClearField("lease")
    if backend.HasField("lease"):
        result.lease.CopyFrom(backend.lease)
    result.options.max_requests_per_replica = backend.options.max_requests_per_replica
    return result


def without_outputs(backend: pb.Backend) -> pb.Backend:
    """A backend without the fields that only the server sets."""
    result = pb.Backend()
    result.CopyFrom(backend)
    for output in ("services", "endpoints", "revision", "status"):
        result.ClearField(output)
    return result


def worker(
    name: str, path: str, init_args: Sequence[Any], config: BackendConfig,
    serializer: Optional[str], environment: Optional[Mapping[str, str]], working_directory: str,
    start_timeout: float,
) -> pb.Backend:
    """A worker backend for the class or function at an import path."""
    if path.partition(":")[2].isdigit():
        raise ValueError(f"{path!r} looks like an address: use a list of addresses, [{path!r}]")
    command = [sys.executable, "-m", "weir.worker", path]
    if init_args:
        command += ["--init-args", json.dumps(init_args)]
    if serializer:
        command += ["--serializer", serializer]
    kind = pb.WorkerKind(
        command=command + worker_options(config), replicas=config.num_replicas,
        environment=environment, working_directory=working_directory)
    kind.start_timeout.FromNanoseconds(int(start_timeout * 1e9))
    return pb.Backend(
        name=name, worker=kind,
        options=pb.BackendOptions(max_requests_per_replica=config.max_concurrent_queries or 0))


def data_address(instances: Sequence[types.Instance], admin: str) -> str:
    """The data address of the server, as reachable from here."""
    answering = next((part for part in instances if part.answering), None)
    if answering is None:
        raise ValueError("the server does not report its data address")
    host, _, port = answering.data_address.rpartition(":")
    if host.strip("[]") in ("0.0.0.0", "::", ""):
        # The server listens on all addresses, so the admin port's host also works.
        host = admin.rpartition(":")[0]
    return f"{host}:{port}"
