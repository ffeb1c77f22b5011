"""The messages of the admin service as plain values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Mapping, Optional, Tuple

from weir._cors import CorsPolicy, HttpShardKey
from weir._figures import (
    BackendStats, EndpointStats, FieldDifference, Latency, ShadowComparison, ShadowReport, Stats,
    time_of,
)
from weir.admin.v1 import admin_pb2
from weir.affinity import AffinityMap, Owner, ShardKey
from weir.config import BackendConfig, config_of


class _Mapping(Mapping[str, Any]):
    """Some attributes also by name, as the dictionaries of Ray Serve 1.0 have them."""

    _names: Tuple[str, ...]

    def __getitem__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        return getattr(self, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


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
    revision: int
    """The revision of the backend that it follows."""


@dataclass(frozen=True)
class Backend(_Mapping):
    """A named implementation that answers requests.

    `backend["num_replicas"]` and the other names of a `BackendConfig` are its configuration.
    """

    _names = ("num_replicas", "max_batch_size", "batch_wait_timeout", "max_concurrent_queries")

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
    program: str
    """The program that serves an upstream and holds a lease on it; empty if no program does."""
    lease: str
    """`held`, `lost` (for a short time) or `gone`; empty without a lease."""
    config: BackendConfig = field(repr=False)
    """The batch size and its timeout are known only for workers."""

    @property
    def num_replicas(self) -> int:
        """The number of addresses or processes."""
        return self.config.num_replicas

    @property
    def max_concurrent_queries(self) -> Optional[int]:
        """The limit of concurrent requests of each replica in Weir; None for no limit."""
        return self.config.max_concurrent_queries

    @property
    def max_batch_size(self) -> Optional[int]:
        """The largest batch."""
        return self.config.max_batch_size

    @property
    def batch_wait_timeout(self) -> float:
        """The seconds to wait for a full batch."""
        return self.config.batch_wait_timeout

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
            program=message.lease.program,
            lease=_lease(status),
            config=config_of(message),
        )


def _lease(status: admin_pb2.BackendStatus) -> str:
    name = admin_pb2.LeaseState.Name(status.lease)[len("LEASE_STATE_"):].lower()
    return "" if name == "unspecified" else name


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
        revision=message.revision,
    )


@dataclass(frozen=True)
class Endpoint(_Mapping):
    """A named entry point with its policy.

    `endpoint["traffic"]` and the other names of Ray Serve are its attributes.
    """

    _names = ("route", "methods", "traffic", "shadows")

    name: str
    route: str
    """The route; empty if clients call the endpoint only by name."""
    traffic: Mapping[str, float]
    """The weight of each backend; they sum to 1."""
    shadows: Mapping[str, float]
    """The share of requests that Weir copies to each shadow."""
    revision: int
    methods: Tuple[str, ...]
    """The methods of plain HTTP requests that it accepts; empty for all."""
    cors: Optional[CorsPolicy]
    """None if scripts of pages of other origins may not send requests."""
    http_shard_key: HttpShardKey
    """Where requests of HTTP that are not gRPC have their shard key, besides the header."""
    requests_per_second: Optional[float]
    """The rate limit; None for no limit."""
    reverts: Optional[datetime.datetime]
    """When the previous weights return; None if they do not."""
    comparison: ShadowComparison = field(repr=False)
    """How Weir compares the responses of the shadows."""
    affinity: AffinityMap = field(repr=False)
    """The owners of shard keys."""

    @classmethod
    def of(cls, message: admin_pb2.Endpoint) -> "Endpoint":
        return cls(
            name=message.name,
            route=message.route,
            traffic={weight.backend: weight.weight for weight in message.weights},
            shadows={shadow.backend: shadow.proportion for shadow in message.shadows},
            revision=message.revision,
            methods=tuple(message.methods),
            cors=CorsPolicy.of(message.cors) if message.HasField("cors") else None,
            http_shard_key=HttpShardKey.of(message.http_shard_key),
            requests_per_second=(
                message.rate_limit.requests_per_second
                if message.HasField("rate_limit") else None),
            reverts=(
                time_of(message.time_box.reverts) if message.HasField("time_box") else None),
            comparison=ShadowComparison.of(message.comparison),
            affinity=AffinityMap(
                message.name, [(part.start, part.backend) for part in message.intervals]),
        )

    def explain(self, shard_key: ShardKey) -> Owner:
        """Computes locally the backend of a shard key at this revision."""
        return self.affinity.explain(shard_key)


@dataclass(frozen=True)
class Freeze:
    """Why the server rejects changes, except rollbacks and aborts."""

    author: str
    reason: str
    since: datetime.datetime
    until: Optional[datetime.datetime]
    """When the freeze ends; None if it lasts until `unfreeze`."""

    @classmethod
    def of(cls, message: admin_pb2.GetFreezeResponse) -> Optional["Freeze"]:
        if not message.HasField("freeze"):
            return None
        freeze = message.freeze
        return cls(
            author=freeze.author, reason=freeze.reason, since=time_of(freeze.since),
            until=time_of(freeze.until) if freeze.HasField("until") else None)


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
            message.revision, time_of(message.time), message.author, message.comment,
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
            time=time_of(message.time),
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
    "Backend", "BackendStats", "Change", "CorsPolicy", "Endpoint", "EndpointStats", "Explanation",
    "FieldDifference", "HttpShardKey", "Instance", "Latency", "ObjectChange", "Replica", "Revision",
    "ShadowComparison", "ShadowReport", "StateChange", "Stats", "TrafficChange",
]
