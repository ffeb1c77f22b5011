"""What the admin service tells, as plain values."""

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
    """How often a worker's process was started again."""


@dataclass(frozen=True)
class Backend:
    """A named implementation that answers requests."""

    name: str
    kind: str
    """`upstream`, `worker` or `handler`."""
    description: str
    addresses: Tuple[str, ...]
    """Of an upstream."""
    command: Tuple[str, ...]
    """Of a worker."""
    endpoints: Tuple[str, ...]
    """Those whose traffic or shadows name it."""
    revision: int
    usable: bool
    """It can be expected to answer, as the server asked sees it."""
    problem: str
    """Why not, if not."""
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
    """Empty for one that is called by name only."""
    traffic: Mapping[str, float]
    """The weight of each backend; they sum to 1."""
    shadows: Mapping[str, float]
    """The share of requests that is copied to each."""
    revision: int
    affinity: AffinityMap
    """Whose each shard key is."""

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
        """The backend that a shard key has, computed here, as of this revision."""
        return self.affinity.explain(shard_key)


@dataclass(frozen=True)
class TrafficChange:
    """What `set_traffic` did, or with `validate_only` would do."""

    endpoint: Endpoint
    moved_share: float
    """The share, 0 to 1, of all shard keys whose backend changes."""
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
    """Which endpoint and backend a request gets, and why."""

    endpoint: str
    route: str
    backend: Optional[str]
    """None without a shard key: `traffic` decides by chance."""
    traffic: Mapping[str, float]
    copied_to: Mapping[str, Optional[bool]]
    """For each shadow whether the request is copied; None when chance decides."""
    text: str
    """The same in words."""

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
    """What one backend did for one endpoint."""

    endpoint: str
    backend: str
    shadow: bool
    weight: float
    """The configured weight, or the proportion of a shadow."""
    requests: int
    requests_per_second: float
    in_flight: int
    statuses: Mapping[str, int]
    """Requests by the name of their gRPC status."""
    latency: Latency

    @property
    def errors(self) -> int:
        """Requests that did not end with OK."""
        return sum(count for name, count in self.statuses.items() if name != "OK")


@dataclass(frozen=True)
class Stats:
    """The figures of a span of time, of the server that was asked."""

    time: datetime.datetime
    seconds: float
    backends: Tuple[BackendStats, ...]
    revision: int
    connections: int
    unrouted: int
    """Requests that no endpoint took."""

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
        """Requests of an endpoint by the backend that answered them, or got copies of them."""
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
    """A field in which answers of a shadow differ from those that callers got."""

    method: str
    field: str
    count: int
    share: float
    noise: bool
    """It differs about as often anyway."""
    primary: str
    shadow: str
    """Both values of one example, as JSON."""


@dataclass(frozen=True)
class ShadowReport:
    """How a shadow did, as the server that was asked has seen it."""

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
    """Copies not made or given up, by reason."""
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
    """What happens to a backend or an endpoint from one state to another."""

    action: str
    """`add`, `change` or `remove`."""
    kind: str
    """`backend` or `endpoint`."""
    name: str
    description: str
    fields: Tuple[Tuple[str, str, str], ...]
    """What differs: path, value before, value after, as JSON."""
    moved_share: float
    """Of an endpoint: the share of its shard keys whose backend is another."""

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
    """What `rollback` did, or with `validate_only` would do."""

    changes: Tuple[ObjectChange, ...]
    """Empty when nothing is different, which makes no revision."""
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
    """One revision as `watch` tells it: what is different, as it is after it."""

    revision: int
    time: datetime.datetime
    snapshot: bool
    """This is the whole state: what is not named does not exist."""
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
    """It is the one that was asked."""

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
