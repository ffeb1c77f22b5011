"""The messages of the admin service as plain values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Tuple

from google.protobuf.timestamp_pb2 import Timestamp

from weir.admin.v1 import admin_pb2
from weir.affinity import AffinityMap, Owner, ShardKey


def _time(stamp: Timestamp) -> datetime.datetime:
    return stamp.ToDatetime(tzinfo=datetime.timezone.utc)


@dataclass(frozen=True)
class Replica:
    """One address or process of a backend."""

    name: str
    state: str
    """`starting`, `connecting`, `ready`, `unhealthy`, `ejected` or `down`."""
    in_flight: int
    requests: int
    last_failure: str
    pid: Optional[int]
    restarts: int
    """The number of restarts of a worker's process."""


@dataclass(frozen=True)
class Backend:
    """A named implementation that answers requests."""

    name: str
    kind: str
    """`upstream`, `worker` or `handler`."""
    description: str
    addresses: Tuple[str, ...]
    """The addresses of an upstream."""
    command: Tuple[str, ...]
    """The command of a worker."""
    endpoints: Tuple[str, ...]
    """The endpoints whose traffic policy or shadows use the backend."""
    revision: int
    usable: bool
    """Whether the backend is expected to answer, as seen by the called server."""
    problem: str
    """Why the backend is not usable; empty if it is."""
    replicas: Tuple[Replica, ...]

    @classmethod
    def of(cls, message: admin_pb2.Backend) -> "Backend":
        status = message.status
        has_status = message.HasField("status")
        return cls(
            name=message.name,
            kind=message.WhichOneof("kind") or "",
            description=message.description,
            addresses=tuple(message.upstream.addresses),
            command=tuple(message.worker.command),
            endpoints=tuple(message.endpoints),
            revision=message.revision,
            usable=status.usable if has_status else True,
            problem=status.problem,
            replicas=tuple(_replica(replica) for replica in status.replicas),
        )


def _replica(message: admin_pb2.ReplicaStatus) -> Replica:
    state = admin_pb2.ReplicaState.Name(message.state)
    return Replica(
        name=message.name,
        state=state[len("REPLICA_STATE_"):].lower(),
        in_flight=message.in_flight,
        requests=message.requests,
        last_failure=message.last_failure,
        pid=message.pid or None,
        restarts=message.restarts,
    )


@dataclass(frozen=True)
class Endpoint:
    """A named entry point with its policy."""

    name: str
    route: str
    """The route; empty if clients call the endpoint only by name."""
    traffic: Mapping[str, float]
    """The weight of each backend; they sum to 1."""
    shadows: Mapping[str, float]
    """The share of requests that Weir copies to each shadow."""
    revision: int
    affinity: AffinityMap
    """The owners of shard keys."""

    @classmethod
    def of(cls, message: admin_pb2.Endpoint) -> "Endpoint":
        return cls(
            name=message.name,
            route=message.route,
            traffic={weight.backend: weight.weight for weight in message.weights},
            shadows={shadow.backend: shadow.proportion for shadow in message.shadows},
            revision=message.revision,
            affinity=AffinityMap(
                message.name, [(part.start, part.backend) for part in message.intervals]),
        )

    def explain(self, shard_key: ShardKey) -> Owner:
        """Computes locally the backend of a shard key at this revision."""
        return self.affinity.explain(shard_key)


@dataclass(frozen=True)
class TrafficChange:
    """The effect of `set_traffic`; with `validate_only`, the effect that it would have."""

    endpoint: Endpoint
    moved_share: float
    """The share of all shard keys whose backend changes, 0 to 1."""
    revision: int
    warnings: Tuple[str, ...]

    @classmethod
    def of(cls, message: admin_pb2.SetTrafficResponse) -> "TrafficChange":
        return cls(
            endpoint=Endpoint.of(message.endpoint),
            moved_share=message.moved_share,
            revision=message.revision,
            warnings=tuple(message.warnings),
        )


@dataclass(frozen=True)
class Explanation:
    """The endpoint and the backend of a request, and the reason."""

    endpoint: str
    route: str
    backend: Optional[str]
    """None without a shard key, because Weir then selects at random by `traffic`."""
    traffic: Mapping[str, float]
    copied_to: Mapping[str, Optional[bool]]
    """Whether the request is copied to each shadow; None if Weir decides at random."""
    text: str
    """The explanation as text."""

    @classmethod
    def of(cls, message: admin_pb2.ExplainRouteResponse) -> "Explanation":
        return cls(
            endpoint=message.endpoint,
            route=message.route,
            backend=message.backend or None,
            traffic={weight.backend: weight.weight for weight in message.weights},
            copied_to={
                shadow.backend: shadow.copied if shadow.HasField("copied") else None
                for shadow in message.shadows
            },
            text=message.explanation,
        )


@dataclass(frozen=True)
class Latency:
    """Microseconds from the complete request headers to the end of the response."""

    mean_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    max_us: float

    @classmethod
    def of(cls, message: admin_pb2.Latency) -> "Latency":
        return cls(
            message.mean_us, message.p50_us, message.p90_us, message.p99_us, message.max_us)


@dataclass(frozen=True)
class BackendStats:
    """The figures of one backend of one endpoint."""

    endpoint: str
    backend: str
    shadow: bool
    weight: float
    """The configured weight, or the proportion of a shadow."""
    requests: int
    requests_per_second: float
    in_flight: int
    statuses: Mapping[str, int]
    """The number of finished requests by the name of their gRPC status."""
    latency: Latency

    @property
    def errors(self) -> int:
        """The number of requests that did not end with OK."""
        return sum(count for name, count in self.statuses.items() if name != "OK")


@dataclass(frozen=True)
class Stats:
    """The figures of a time span, of the called server."""

    time: datetime.datetime
    seconds: float
    backends: Tuple[BackendStats, ...]
    revision: int
    connections: int
    unrouted: int
    """The number of requests that matched no endpoint."""

    @classmethod
    def of(cls, message: admin_pb2.Stats) -> "Stats":
        return cls(
            time=_time(message.time),
            seconds=message.seconds,
            backends=tuple(_backend_stats(backend) for backend in message.backends),
            revision=message.revision,
            connections=message.connections,
            unrouted=message.unrouted,
        )

    def requests(self, endpoint: str, *, shadow: bool = False) -> Dict[str, int]:
        """The requests of an endpoint, by the backend that answered them or received copies."""
        return {
            stats.backend: stats.requests
            for stats in self.backends
            if stats.endpoint == endpoint and stats.shadow == shadow
        }


def _backend_stats(message: admin_pb2.BackendStats) -> BackendStats:
    return BackendStats(
        endpoint=message.endpoint,
        backend=message.backend,
        shadow=message.shadow,
        weight=message.weight,
        requests=message.requests,
        requests_per_second=message.requests_per_second,
        in_flight=message.in_flight,
        statuses={status.name: status.count for status in message.statuses},
        latency=Latency.of(message.latency),
    )


@dataclass(frozen=True)
class FieldDifference:
    """A field in which responses of a shadow differ from those of the primary."""

    method: str
    field: str
    count: int
    share: float
    noise: bool
    """Whether the field differs about as often without a cause."""
    primary: str
    shadow: str
    """Both values of one example, as JSON."""


@dataclass(frozen=True)
class ShadowReport:
    """The report of a shadow, as seen by the called server."""

    endpoint: str
    backend: str
    proportion: float
    verdict: str
    """`too_few`, `fit`, `differs`, `late` or `unreachable`."""
    explanation: str
    selected: int
    compared: int
    equal: int
    differing: int
    drops: Mapping[str, int]
    """Dropped copies by reason."""
    fields: Tuple[FieldDifference, ...]
    primary_latency: Latency
    shadow_latency: Latency

    @classmethod
    def of(cls, message: admin_pb2.ShadowReport) -> "ShadowReport":
        verdict = admin_pb2.ShadowVerdict.Name(message.verdict)
        return cls(
            endpoint=message.endpoint,
            backend=message.backend,
            proportion=message.proportion,
            verdict=verdict[len("SHADOW_VERDICT_"):].lower(),
            explanation=message.explanation,
            selected=message.selected,
            compared=message.compared,
            equal=message.equal,
            differing=message.differing,
            drops={drop.reason: drop.count for drop in message.drops},
            fields=tuple(
                FieldDifference(
                    difference.method, difference.field, difference.count, difference.share,
                    difference.noise, difference.example.primary, difference.example.shadow)
                for difference in message.fields),
            primary_latency=Latency.of(message.primary_latency),
            shadow_latency=Latency.of(message.shadow_latency),
        )


@dataclass(frozen=True)
class Revision:
    """An accepted change."""

    revision: int
    time: datetime.datetime
    author: str
    comment: str
    summary: str

    @classmethod
    def of(cls, message: admin_pb2.Revision) -> "Revision":
        return cls(
            message.revision, _time(message.time), message.author, message.comment,
            message.summary)


@dataclass(frozen=True)
class ObjectChange:
    """A change of a backend or an endpoint from one state to another."""

    action: str
    """`add`, `change` or `remove`."""
    kind: str
    """`backend` or `endpoint`."""
    name: str
    description: str
    fields: Tuple[Tuple[str, str, str], ...]
    """The differences: path, value before and value after, as JSON."""
    moved_share: float
    """For an endpoint: the share of its shard keys whose backend changes."""

    @classmethod
    def of(cls, message: admin_pb2.ObjectChange) -> "ObjectChange":
        action = admin_pb2.ChangeAction.Name(message.action)
        return cls(
            action=action[len("CHANGE_ACTION_"):].lower(),
            kind=message.kind,
            name=message.name,
            description=message.description,
            fields=tuple((part.field, part.before, part.after) for part in message.fields),
            moved_share=message.moved_share,
        )


@dataclass(frozen=True)
class StateChange:
    """The effect of `rollback`; with `validate_only`, the effect that it would have."""

    changes: Tuple[ObjectChange, ...]
    """Empty if nothing differs; then the server creates no revision."""
    revision: int
    warnings: Tuple[str, ...]

    @classmethod
    def of(cls, message: Any) -> "StateChange":
        return cls(
            changes=tuple(ObjectChange.of(change) for change in message.changes),
            revision=message.revision,
            warnings=tuple(message.warnings),
        )


@dataclass(frozen=True)
class Change:
    """One revision of `watch`: the changed objects after the change."""

    revision: int
    time: datetime.datetime
    snapshot: bool
    """Whether this is the whole state. Objects that it does not contain do not exist."""
    backends: Mapping[str, Backend]
    deleted_backends: Tuple[str, ...]
    endpoints: Mapping[str, Endpoint]
    deleted_endpoints: Tuple[str, ...]
    author: str
    comment: str
    summary: str

    @classmethod
    def of(cls, message: admin_pb2.WatchResponse) -> "Change":
        return cls(
            revision=message.revision,
            time=_time(message.time),
            snapshot=message.snapshot,
            backends={backend.name: Backend.of(backend) for backend in message.backends},
            deleted_backends=tuple(message.deleted_backends),
            endpoints={part.name: Endpoint.of(part) for part in message.endpoints},
            deleted_endpoints=tuple(message.deleted_endpoints),
            author=message.author,
            comment=message.comment,
            summary=message.summary,
        )


@dataclass(frozen=True)
class Instance:
    """A server of the fleet."""

    name: str
    version: str
    data_address: str
    admin_address: str
    revision: int
    leader: bool
    answering: bool
    """Whether this is the called server."""

    @classmethod
    def of(cls, message: admin_pb2.Instance) -> "Instance":
        return cls(
            message.name, message.version, message.data_address, message.admin_address,
            message.revision, message.leader, message.answering)


def named(parts: List[Any]) -> Dict[str, Any]:
    """Values by their names."""
    return {part.name: part for part in parts}


__all__ = [
    "Backend", "BackendStats", "Change", "Endpoint", "Explanation", "FieldDifference", "Instance",
    "Latency", "ObjectChange", "Replica", "Revision", "ShadowReport", "StateChange", "Stats",
    "TrafficChange",
]
