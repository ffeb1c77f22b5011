"""Statistics and reports of the admin service as plain values."""

from __future__ import annotations

import datetime
from dataclasses import dataclass, field
from typing import Dict, Mapping, Sequence, Tuple

from google.protobuf.timestamp_pb2 import Timestamp

from weir.admin.v1 import admin_pb2


def time_of(stamp: Timestamp) -> datetime.datetime:
    """A time of the admin service, in UTC."""
    return stamp.ToDatetime(tzinfo=datetime.timezone.utc)


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
class EndpointStats:
    """The figures of one endpoint beyond those of its backends."""

    endpoint: str
    rate_limited: int
    """The number of requests over the rate limit, which no backend received."""
    overloaded: int
    """The number of requests over a limit of the server, which no backend received."""
    latency: Latency


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
    endpoints: Tuple[EndpointStats, ...] = ()

    @classmethod
    def of(cls, message: admin_pb2.Stats) -> "Stats":
        return cls(
            time=time_of(message.time),
            seconds=message.seconds,
            backends=tuple(_backend_stats(backend) for backend in message.backends),
            revision=message.revision,
            connections=message.connections,
            unrouted=message.unrouted,
            endpoints=tuple(
                EndpointStats(
                    endpoint=each.endpoint,
                    rate_limited=each.rate_limited,
                    overloaded=each.overloaded,
                    latency=Latency.of(each.latency),
                )
                for each in message.endpoints
            ),
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
class ShadowComparison:
    """How Weir compares the responses of an endpoint's shadows with those of its callers."""

    ignored_fields: Sequence[str] = ()
    absolute_tolerances: Mapping[str, float] = field(default_factory=dict)
    """The largest difference of two numbers, by field."""
    relative_tolerances: Mapping[str, float] = field(default_factory=dict)
    """The same as a share of the larger number."""
    redacted_fields: Sequence[str] = ()
    redacted_metadata: Sequence[str] = ()
    noise_proportion: float = 0.0
    """The share of copied requests that Weir also sends to the primary a second time."""
    allowed_share: float = 0.001
    """The share of responses that may differ in a good report."""

    def message(self) -> admin_pb2.ShadowComparison:
        tolerances = [
            admin_pb2.FieldTolerance(field=name, absolute=value)
            for name, value in self.absolute_tolerances.items()]
        tolerances += [
            admin_pb2.FieldTolerance(field=name, relative=value)
            for name, value in self.relative_tolerances.items()]
        return admin_pb2.ShadowComparison(
            ignored_fields=self.ignored_fields, tolerances=tolerances,
            redacted_fields=self.redacted_fields, redacted_metadata=self.redacted_metadata,
            noise_proportion=self.noise_proportion, allowed_share=self.allowed_share)

    @classmethod
    def of(cls, message: admin_pb2.ShadowComparison) -> "ShadowComparison":
        return cls(
            ignored_fields=tuple(message.ignored_fields),
            absolute_tolerances={
                part.field: part.absolute for part in message.tolerances if part.absolute},
            relative_tolerances={
                part.field: part.relative for part in message.tolerances if part.relative},
            redacted_fields=tuple(message.redacted_fields),
            redacted_metadata=tuple(message.redacted_metadata),
            noise_proportion=message.noise_proportion,
            allowed_share=message.allowed_share if message.HasField("allowed_share") else 0.001,
        )
