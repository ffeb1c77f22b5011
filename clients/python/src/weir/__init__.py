"""A client of Weir: traffic splits, shadow traffic and shard keys for gRPC services and plain HTTP.

    client = weir.connect("127.0.0.1:8001")
    client.create_backend("backend1", MyClass1)
    client.create_backend("backend2", MyClass2)
    client.create_endpoint("fifty-fifty", backend="backend1", route="/fifty")
    client.set_traffic("fifty-fifty", {"backend1": 0.5, "backend2": 0.5})
    client.get_handle("fifty-fifty").options(shard_key="user-7").remote("hello").result()
"""

from weir import aio, ray, serve
from weir.affinity import AffinityMap, Owner
from weir.client import Client, connect
from weir.config import BackendConfig, ConfigError, accept_batch
from weir.errors import (
    Aborted, AlreadyExists, BackendFailed, BackendInUse, Cancelled, ClientClosed,
    DeadlineExceeded, FailedPrecondition, InvalidArgument, InvalidRoute, InvalidTraffic, NotFound,
    OutOfRange, PermissionDenied, ResourceExhausted, RevisionConflict, RevisionNotKept,
    Unauthenticated, Unavailable, Unimplemented, WeirError,
)
from weir.handle import Handle, Result
from weir.metadata import ShardKeyInterceptor, aio_interceptors, intercept, shard_key
from weir.payload import EncodingError, Response
from weir.request import Headers, MultiDict, Request
from weir.rollouts import Rollout, RolloutGate, RolloutPlan, RolloutStart
from weir.types import (
    Backend, BackendStats, Change, CorsPolicy, Endpoint, EndpointStats, Explanation,
    FieldDifference, Freeze, HttpShardKey, Instance, Latency, ObjectChange, Replica, Revision,
    ShadowComparison, ShadowReport, StateChange, Stats, TrafficChange,
)

__version__ = "0.1.0"

__all__ = [
    "Aborted", "AffinityMap", "AlreadyExists", "Backend", "BackendConfig", "BackendFailed",
    "BackendInUse", "BackendStats", "Cancelled", "Change", "Client", "ClientClosed",
    "ConfigError", "CorsPolicy", "DeadlineExceeded", "EncodingError", "Endpoint",
    "EndpointStats", "Explanation", "FailedPrecondition", "FieldDifference", "Freeze", "Handle",
    "Headers", "HttpShardKey", "Instance", "InvalidArgument", "InvalidRoute", "InvalidTraffic",
    "Latency", "MultiDict", "NotFound", "ObjectChange", "OutOfRange", "Owner",
    "PermissionDenied", "Replica", "Request", "ResourceExhausted", "Response", "Result",
    "Revision", "RevisionConflict", "RevisionNotKept", "Rollout", "RolloutGate", "RolloutPlan",
    "RolloutStart", "ShadowComparison", "ShadowReport", "ShardKeyInterceptor", "StateChange",
    "Stats", "TrafficChange", "Unauthenticated", "Unavailable", "Unimplemented", "WeirError",
    "accept_batch", "aio", "aio_interceptors", "connect", "intercept", "ray", "serve",
    "shard_key",
]
