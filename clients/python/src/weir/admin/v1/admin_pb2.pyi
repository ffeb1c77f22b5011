from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Iterable as _Iterable, Mapping as _Mapping, Optional as _Optional, Union as _Union

ACCESS_ROLE_ADMIN: AccessRole
ACCESS_ROLE_OPERATOR: AccessRole
ACCESS_ROLE_UNSPECIFIED: AccessRole
ACCESS_ROLE_VIEWER: AccessRole
CHANGE_ACTION_ADD: ChangeAction
CHANGE_ACTION_CHANGE: ChangeAction
CHANGE_ACTION_REMOVE: ChangeAction
CHANGE_ACTION_UNSPECIFIED: ChangeAction
DESCRIPTOR: _descriptor.FileDescriptor
INSTANCE_STATE_CURRENT: InstanceState
INSTANCE_STATE_DIVERGED: InstanceState
INSTANCE_STATE_STALE: InstanceState
INSTANCE_STATE_UNSPECIFIED: InstanceState
LEASE_STATE_GONE: LeaseState
LEASE_STATE_HELD: LeaseState
LEASE_STATE_LOST: LeaseState
LEASE_STATE_UNSPECIFIED: LeaseState
REPLICA_STATE_CONNECTING: ReplicaState
REPLICA_STATE_DOWN: ReplicaState
REPLICA_STATE_EJECTED: ReplicaState
REPLICA_STATE_READY: ReplicaState
REPLICA_STATE_STARTING: ReplicaState
REPLICA_STATE_UNHEALTHY: ReplicaState
REPLICA_STATE_UNSPECIFIED: ReplicaState
ROLLOUT_HOOK_CONFIRM_PROMOTION: RolloutHook
ROLLOUT_HOOK_CONFIRM_START: RolloutHook
ROLLOUT_HOOK_CONFIRM_STEP: RolloutHook
ROLLOUT_HOOK_EVENT: RolloutHook
ROLLOUT_HOOK_ROLLBACK: RolloutHook
ROLLOUT_HOOK_UNSPECIFIED: RolloutHook
ROLLOUT_INCONCLUSIVE_ABORT: RolloutInconclusive
ROLLOUT_INCONCLUSIVE_ADVANCE: RolloutInconclusive
ROLLOUT_INCONCLUSIVE_PAUSE: RolloutInconclusive
ROLLOUT_INCONCLUSIVE_UNSPECIFIED: RolloutInconclusive
ROLLOUT_PHASE_ABORTED: RolloutPhase
ROLLOUT_PHASE_ABORTING: RolloutPhase
ROLLOUT_PHASE_BAKING: RolloutPhase
ROLLOUT_PHASE_OBSERVING: RolloutPhase
ROLLOUT_PHASE_PAUSED: RolloutPhase
ROLLOUT_PHASE_PENDING: RolloutPhase
ROLLOUT_PHASE_SETTLING: RolloutPhase
ROLLOUT_PHASE_SUCCEEDED: RolloutPhase
ROLLOUT_PHASE_UNSPECIFIED: RolloutPhase
ROLLOUT_REQUIREMENT_NO_OBJECTION: RolloutRequirement
ROLLOUT_REQUIREMENT_PROOF: RolloutRequirement
ROLLOUT_REQUIREMENT_UNSPECIFIED: RolloutRequirement
SHADOW_VERDICT_DIFFERS: ShadowVerdict
SHADOW_VERDICT_FIT: ShadowVerdict
SHADOW_VERDICT_LATE: ShadowVerdict
SHADOW_VERDICT_TOO_FEW: ShadowVerdict
SHADOW_VERDICT_UNREACHABLE: ShadowVerdict
SHADOW_VERDICT_UNSPECIFIED: ShadowVerdict

class AbortRolloutRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "immediate", "keep_weights", "note", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    IMMEDIATE_FIELD_NUMBER: _ClassVar[int]
    KEEP_WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    immediate: bool
    keep_weights: bool
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ..., immediate: bool = ..., keep_weights: bool = ...) -> None: ...

class AdoptStateRequest(_message.Message):
    __slots__ = ["validate_only"]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    validate_only: bool
    def __init__(self, validate_only: bool = ...) -> None: ...

class AdoptStateResponse(_message.Message):
    __slots__ = ["changes", "common_revision", "previous_revision", "revision"]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    COMMON_REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ObjectChange]
    common_revision: int
    previous_revision: int
    revision: int
    def __init__(self, previous_revision: _Optional[int] = ..., revision: _Optional[int] = ..., common_revision: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[ObjectChange, _Mapping]]] = ...) -> None: ...

class AdvanceRolloutRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class ApplyRequest(_message.Message):
    __slots__ = ["configuration", "expected_revision", "note", "only_if_empty", "validate_only"]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ONLY_IF_EMPTY_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    configuration: Configuration
    expected_revision: int
    note: ChangeNote
    only_if_empty: bool
    validate_only: bool
    def __init__(self, configuration: _Optional[_Union[Configuration, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ..., only_if_empty: bool = ...) -> None: ...

class ApplyResponse(_message.Message):
    __slots__ = ["changes", "revision", "undone", "warnings"]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    UNDONE_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ObjectChange]
    revision: int
    undone: _containers.RepeatedScalarFieldContainer[str]
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changes: _Optional[_Iterable[_Union[ObjectChange, _Mapping]]] = ..., revision: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ..., undone: _Optional[_Iterable[str]] = ...) -> None: ...

class Backend(_message.Message):
    __slots__ = ["description", "descriptor_set", "endpoints", "handler", "lease", "name", "options", "revision", "services", "status", "upstream", "worker"]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTOR_SET_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SERVICES_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    WORKER_FIELD_NUMBER: _ClassVar[int]
    description: str
    descriptor_set: bytes
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    handler: HandlerKind
    lease: Lease
    name: str
    options: BackendOptions
    revision: int
    services: _containers.RepeatedScalarFieldContainer[str]
    status: BackendStatus
    upstream: UpstreamKind
    worker: WorkerKind
    def __init__(self, name: _Optional[str] = ..., handler: _Optional[_Union[HandlerKind, _Mapping]] = ..., upstream: _Optional[_Union[UpstreamKind, _Mapping]] = ..., worker: _Optional[_Union[WorkerKind, _Mapping]] = ..., description: _Optional[str] = ..., services: _Optional[_Iterable[str]] = ..., endpoints: _Optional[_Iterable[str]] = ..., revision: _Optional[int] = ..., options: _Optional[_Union[BackendOptions, _Mapping]] = ..., descriptor_set: _Optional[bytes] = ..., status: _Optional[_Union[BackendStatus, _Mapping]] = ..., lease: _Optional[_Union[Lease, _Mapping]] = ...) -> None: ...

class BackendOptions(_message.Message):
    __slots__ = ["authority", "connect_timeout", "forwarded_for", "health_check", "idle_timeout", "keepalive_interval", "keepalive_timeout", "max_connections_per_replica", "max_requests_in_flight", "max_requests_per_replica", "max_waiting_requests", "outlier_detection", "replica_affinity", "retry", "wait_timeout"]
    AUTHORITY_FIELD_NUMBER: _ClassVar[int]
    CONNECT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    FORWARDED_FOR_FIELD_NUMBER: _ClassVar[int]
    HEALTH_CHECK_FIELD_NUMBER: _ClassVar[int]
    IDLE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    KEEPALIVE_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    MAX_CONNECTIONS_PER_REPLICA_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_PER_REPLICA_FIELD_NUMBER: _ClassVar[int]
    MAX_WAITING_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    OUTLIER_DETECTION_FIELD_NUMBER: _ClassVar[int]
    REPLICA_AFFINITY_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIELD_NUMBER: _ClassVar[int]
    WAIT_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    authority: str
    connect_timeout: _duration_pb2.Duration
    forwarded_for: bool
    health_check: HealthCheckOptions
    idle_timeout: _duration_pb2.Duration
    keepalive_interval: _duration_pb2.Duration
    keepalive_timeout: _duration_pb2.Duration
    max_connections_per_replica: int
    max_requests_in_flight: int
    max_requests_per_replica: int
    max_waiting_requests: int
    outlier_detection: OutlierOptions
    replica_affinity: bool
    retry: RetryOptions
    wait_timeout: _duration_pb2.Duration
    def __init__(self, max_requests_in_flight: _Optional[int] = ..., max_requests_per_replica: _Optional[int] = ..., max_waiting_requests: _Optional[int] = ..., wait_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., replica_affinity: bool = ..., retry: _Optional[_Union[RetryOptions, _Mapping]] = ..., health_check: _Optional[_Union[HealthCheckOptions, _Mapping]] = ..., outlier_detection: _Optional[_Union[OutlierOptions, _Mapping]] = ..., connect_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., idle_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., keepalive_interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., keepalive_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_connections_per_replica: _Optional[int] = ..., authority: _Optional[str] = ..., forwarded_for: bool = ...) -> None: ...

class BackendStats(_message.Message):
    __slots__ = ["backend", "deleted", "endpoint", "in_flight", "latency", "requests", "requests_per_second", "sampled", "shadow", "statuses", "weight"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    SAMPLED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    backend: str
    deleted: bool
    endpoint: str
    in_flight: int
    latency: Latency
    requests: int
    requests_per_second: float
    sampled: int
    shadow: bool
    statuses: _containers.RepeatedCompositeFieldContainer[StatusCount]
    weight: float
    def __init__(self, endpoint: _Optional[str] = ..., backend: _Optional[str] = ..., shadow: bool = ..., weight: _Optional[float] = ..., requests: _Optional[int] = ..., requests_per_second: _Optional[float] = ..., in_flight: _Optional[int] = ..., statuses: _Optional[_Iterable[_Union[StatusCount, _Mapping]]] = ..., latency: _Optional[_Union[Latency, _Mapping]] = ..., sampled: _Optional[int] = ..., deleted: bool = ...) -> None: ...

class BackendStatus(_message.Message):
    __slots__ = ["circuit_open", "circuit_openings", "in_flight", "lease", "problem", "refused", "replicas", "retries", "retries_denied", "transparent_retries", "usable", "waiting"]
    CIRCUIT_OPENINGS_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_OPEN_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LEASE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_DENIED_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TRANSPARENT_RETRIES_FIELD_NUMBER: _ClassVar[int]
    USABLE_FIELD_NUMBER: _ClassVar[int]
    WAITING_FIELD_NUMBER: _ClassVar[int]
    circuit_open: bool
    circuit_openings: int
    in_flight: int
    lease: LeaseState
    problem: str
    refused: _containers.RepeatedCompositeFieldContainer[StatusCount]
    replicas: _containers.RepeatedCompositeFieldContainer[ReplicaStatus]
    retries: int
    retries_denied: int
    transparent_retries: int
    usable: bool
    waiting: int
    def __init__(self, usable: bool = ..., problem: _Optional[str] = ..., replicas: _Optional[_Iterable[_Union[ReplicaStatus, _Mapping]]] = ..., in_flight: _Optional[int] = ..., waiting: _Optional[int] = ..., circuit_open: bool = ..., circuit_openings: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[StatusCount, _Mapping]]] = ..., retries: _Optional[int] = ..., transparent_retries: _Optional[int] = ..., retries_denied: _Optional[int] = ..., lease: _Optional[_Union[LeaseState, str]] = ...) -> None: ...

class BackendWeight(_message.Message):
    __slots__ = ["backend", "weight"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    backend: str
    weight: float
    def __init__(self, backend: _Optional[str] = ..., weight: _Optional[float] = ...) -> None: ...

class CallRecord(_message.Message):
    __slots__ = ["attempts", "backend", "client", "duration_us", "endpoint", "failed_attempts", "message", "method", "protocol", "queue_us", "replica", "request_bytes", "response_bytes", "response_us", "revision", "shadow", "shard_point", "span_id", "status", "time", "trace_id", "upstream_us"]
    ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    CLIENT_FIELD_NUMBER: _ClassVar[int]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    FAILED_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    PROTOCOL_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_US_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    SHARD_POINT_FIELD_NUMBER: _ClassVar[int]
    SPAN_ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    UPSTREAM_US_FIELD_NUMBER: _ClassVar[int]
    attempts: int
    backend: str
    client: str
    duration_us: float
    endpoint: str
    failed_attempts: _containers.RepeatedCompositeFieldContainer[FailedAttempt]
    message: str
    method: str
    protocol: str
    queue_us: float
    replica: str
    request_bytes: int
    response_bytes: int
    response_us: float
    revision: int
    shadow: bool
    shard_point: int
    span_id: str
    status: str
    time: _timestamp_pb2.Timestamp
    trace_id: str
    upstream_us: float
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., endpoint: _Optional[str] = ..., backend: _Optional[str] = ..., method: _Optional[str] = ..., protocol: _Optional[str] = ..., shadow: bool = ..., replica: _Optional[str] = ..., attempts: _Optional[int] = ..., failed_attempts: _Optional[_Iterable[_Union[FailedAttempt, _Mapping]]] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., duration_us: _Optional[float] = ..., queue_us: _Optional[float] = ..., upstream_us: _Optional[float] = ..., response_us: _Optional[float] = ..., request_bytes: _Optional[int] = ..., response_bytes: _Optional[int] = ..., shard_point: _Optional[int] = ..., revision: _Optional[int] = ..., trace_id: _Optional[str] = ..., span_id: _Optional[str] = ..., client: _Optional[str] = ...) -> None: ...

class ChangeNote(_message.Message):
    __slots__ = ["author", "comment"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    author: str
    comment: str
    def __init__(self, author: _Optional[str] = ..., comment: _Optional[str] = ...) -> None: ...

class CompareRevisionsRequest(_message.Message):
    __slots__ = ["from_revision", "to_revision"]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    TO_REVISION_FIELD_NUMBER: _ClassVar[int]
    from_revision: int
    to_revision: int
    def __init__(self, from_revision: _Optional[int] = ..., to_revision: _Optional[int] = ...) -> None: ...

class CompareRevisionsResponse(_message.Message):
    __slots__ = ["changes", "from_revision", "to_revision"]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    TO_REVISION_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ObjectChange]
    from_revision: int
    to_revision: int
    def __init__(self, changes: _Optional[_Iterable[_Union[ObjectChange, _Mapping]]] = ..., from_revision: _Optional[int] = ..., to_revision: _Optional[int] = ...) -> None: ...

class Configuration(_message.Message):
    __slots__ = ["backends", "endpoints"]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointConfiguration]
    def __init__(self, backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., endpoints: _Optional[_Iterable[_Union[EndpointConfiguration, _Mapping]]] = ...) -> None: ...

class ConfirmTrafficRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class CorsPolicy(_message.Message):
    __slots__ = ["credentials", "exposed_headers", "headers", "origins"]
    CREDENTIALS_FIELD_NUMBER: _ClassVar[int]
    EXPOSED_HEADERS_FIELD_NUMBER: _ClassVar[int]
    HEADERS_FIELD_NUMBER: _ClassVar[int]
    ORIGINS_FIELD_NUMBER: _ClassVar[int]
    credentials: bool
    exposed_headers: _containers.RepeatedScalarFieldContainer[str]
    headers: _containers.RepeatedScalarFieldContainer[str]
    origins: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, origins: _Optional[_Iterable[str]] = ..., headers: _Optional[_Iterable[str]] = ..., exposed_headers: _Optional[_Iterable[str]] = ..., credentials: bool = ...) -> None: ...

class CreateBackendRequest(_message.Message):
    __slots__ = ["backend", "expected_revision", "note", "validate_only"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    backend: Backend
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, backend: _Optional[_Union[Backend, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class CreateEndpointRequest(_message.Message):
    __slots__ = ["backend", "cors", "expected_revision", "http_shard_key", "methods", "name", "note", "route", "validate_only"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    CORS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    HTTP_SHARD_KEY_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    backend: str
    cors: CorsPolicy
    expected_revision: int
    http_shard_key: HttpShardKey
    methods: _containers.RepeatedScalarFieldContainer[str]
    name: str
    note: ChangeNote
    route: str
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., backend: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ..., methods: _Optional[_Iterable[str]] = ..., cors: _Optional[_Union[CorsPolicy, _Mapping]] = ..., http_shard_key: _Optional[_Union[HttpShardKey, _Mapping]] = ...) -> None: ...

class DeleteBackendRequest(_message.Message):
    __slots__ = ["expected_revision", "name", "note", "validate_only"]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    expected_revision: int
    name: str
    note: ChangeNote
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class DeleteBackendResponse(_message.Message):
    __slots__ = ["revision"]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class DeleteEndpointRequest(_message.Message):
    __slots__ = ["expected_revision", "name", "note", "validate_only"]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    expected_revision: int
    name: str
    note: ChangeNote
    validate_only: bool
    def __init__(self, name: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class DeleteEndpointResponse(_message.Message):
    __slots__ = ["revision"]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class DifferenceSample(_message.Message):
    __slots__ = ["differences", "metadata", "method", "time"]
    DIFFERENCES_FIELD_NUMBER: _ClassVar[int]
    METADATA_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    differences: _containers.RepeatedCompositeFieldContainer[ValuePair]
    metadata: _containers.RepeatedCompositeFieldContainer[MetadataEntry]
    method: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., method: _Optional[str] = ..., metadata: _Optional[_Iterable[_Union[MetadataEntry, _Mapping]]] = ..., differences: _Optional[_Iterable[_Union[ValuePair, _Mapping]]] = ...) -> None: ...

class Endpoint(_message.Message):
    __slots__ = ["comparison", "cors", "http_shard_key", "intervals", "methods", "name", "rate_limit", "revision", "route", "shadows", "time_box", "weights"]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    CORS_FIELD_NUMBER: _ClassVar[int]
    HTTP_SHARD_KEY_FIELD_NUMBER: _ClassVar[int]
    INTERVALS_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    TIME_BOX_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    comparison: ShadowComparison
    cors: CorsPolicy
    http_shard_key: HttpShardKey
    intervals: _containers.RepeatedCompositeFieldContainer[Interval]
    methods: _containers.RepeatedScalarFieldContainer[str]
    name: str
    rate_limit: RateLimit
    revision: int
    route: str
    shadows: _containers.RepeatedCompositeFieldContainer[Shadow]
    time_box: TrafficTimeBox
    weights: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., weights: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ..., shadows: _Optional[_Iterable[_Union[Shadow, _Mapping]]] = ..., intervals: _Optional[_Iterable[_Union[Interval, _Mapping]]] = ..., revision: _Optional[int] = ..., comparison: _Optional[_Union[ShadowComparison, _Mapping]] = ..., rate_limit: _Optional[_Union[RateLimit, _Mapping]] = ..., time_box: _Optional[_Union[TrafficTimeBox, _Mapping]] = ..., methods: _Optional[_Iterable[str]] = ..., cors: _Optional[_Union[CorsPolicy, _Mapping]] = ..., http_shard_key: _Optional[_Union[HttpShardKey, _Mapping]] = ...) -> None: ...

class EndpointConfiguration(_message.Message):
    __slots__ = ["comparison", "cors", "http_shard_key", "methods", "name", "rate_limit", "rollout", "route", "shadows", "weights"]
    class WeightsEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    CORS_FIELD_NUMBER: _ClassVar[int]
    HTTP_SHARD_KEY_FIELD_NUMBER: _ClassVar[int]
    METHODS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    comparison: ShadowComparison
    cors: CorsPolicy
    http_shard_key: HttpShardKey
    methods: _containers.RepeatedScalarFieldContainer[str]
    name: str
    rate_limit: RateLimit
    rollout: RolloutPlan
    route: str
    shadows: _containers.RepeatedCompositeFieldContainer[Shadow]
    weights: _containers.ScalarMap[str, float]
    def __init__(self, name: _Optional[str] = ..., route: _Optional[str] = ..., weights: _Optional[_Mapping[str, float]] = ..., shadows: _Optional[_Iterable[_Union[Shadow, _Mapping]]] = ..., comparison: _Optional[_Union[ShadowComparison, _Mapping]] = ..., rate_limit: _Optional[_Union[RateLimit, _Mapping]] = ..., methods: _Optional[_Iterable[str]] = ..., cors: _Optional[_Union[CorsPolicy, _Mapping]] = ..., rollout: _Optional[_Union[RolloutPlan, _Mapping]] = ..., http_shard_key: _Optional[_Union[HttpShardKey, _Mapping]] = ...) -> None: ...

class EndpointStats(_message.Message):
    __slots__ = ["endpoint", "latency", "overloaded", "rate_limited"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    OVERLOADED_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMITED_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    latency: Latency
    overloaded: int
    rate_limited: int
    def __init__(self, endpoint: _Optional[str] = ..., rate_limited: _Optional[int] = ..., overloaded: _Optional[int] = ..., latency: _Optional[_Union[Latency, _Mapping]] = ...) -> None: ...

class ExplainRouteRequest(_message.Message):
    __slots__ = ["endpoint", "path", "shard_key"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    SHARD_KEY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    path: str
    shard_key: bytes
    def __init__(self, path: _Optional[str] = ..., shard_key: _Optional[bytes] = ..., endpoint: _Optional[str] = ...) -> None: ...

class ExplainRouteResponse(_message.Message):
    __slots__ = ["backend", "endpoint", "explanation", "interval_first", "interval_last", "point", "revision", "route", "shadows", "weights"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIRST_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_LAST_FIELD_NUMBER: _ClassVar[int]
    POINT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROUTE_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    backend: str
    endpoint: str
    explanation: str
    interval_first: int
    interval_last: int
    point: int
    revision: int
    route: str
    shadows: _containers.RepeatedCompositeFieldContainer[ShadowDecision]
    weights: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    def __init__(self, endpoint: _Optional[str] = ..., route: _Optional[str] = ..., point: _Optional[int] = ..., interval_first: _Optional[int] = ..., interval_last: _Optional[int] = ..., backend: _Optional[str] = ..., weights: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ..., shadows: _Optional[_Iterable[_Union[ShadowDecision, _Mapping]]] = ..., explanation: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class FailedAttempt(_message.Message):
    __slots__ = ["duration_us", "replica", "status"]
    DURATION_US_FIELD_NUMBER: _ClassVar[int]
    REPLICA_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    duration_us: float
    replica: str
    status: str
    def __init__(self, replica: _Optional[str] = ..., status: _Optional[str] = ..., duration_us: _Optional[float] = ...) -> None: ...

class FieldChange(_message.Message):
    __slots__ = ["after", "before", "field"]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    after: str
    before: str
    field: str
    def __init__(self, field: _Optional[str] = ..., before: _Optional[str] = ..., after: _Optional[str] = ...) -> None: ...

class FieldDifference(_message.Message):
    __slots__ = ["count", "example", "field", "method", "noise", "noise_share", "share"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    EXAMPLE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    NOISE_FIELD_NUMBER: _ClassVar[int]
    NOISE_SHARE_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    count: int
    example: ValuePair
    field: str
    method: str
    noise: bool
    noise_share: float
    share: float
    def __init__(self, method: _Optional[str] = ..., field: _Optional[str] = ..., count: _Optional[int] = ..., share: _Optional[float] = ..., noise_share: _Optional[float] = ..., noise: bool = ..., example: _Optional[_Union[ValuePair, _Mapping]] = ...) -> None: ...

class FieldTolerance(_message.Message):
    __slots__ = ["absolute", "field", "relative"]
    ABSOLUTE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_FIELD_NUMBER: _ClassVar[int]
    absolute: float
    field: str
    relative: float
    def __init__(self, field: _Optional[str] = ..., absolute: _Optional[float] = ..., relative: _Optional[float] = ...) -> None: ...

class Freeze(_message.Message):
    __slots__ = ["author", "reason", "since", "until"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    author: str
    reason: str
    since: _timestamp_pb2.Timestamp
    until: _timestamp_pb2.Timestamp
    def __init__(self, author: _Optional[str] = ..., reason: _Optional[str] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetAccessRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetAccessResponse(_message.Message):
    __slots__ = ["endpoints", "name", "role"]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    ROLE_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedScalarFieldContainer[str]
    name: str
    role: AccessRole
    def __init__(self, name: _Optional[str] = ..., role: _Optional[_Union[AccessRole, str]] = ..., endpoints: _Optional[_Iterable[str]] = ...) -> None: ...

class GetBackendRequest(_message.Message):
    __slots__ = ["name", "reveal_secrets"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    name: str
    reveal_secrets: bool
    def __init__(self, name: _Optional[str] = ..., reveal_secrets: bool = ...) -> None: ...

class GetEndpointRequest(_message.Message):
    __slots__ = ["name"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    name: str
    def __init__(self, name: _Optional[str] = ...) -> None: ...

class GetFreezeRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class GetFreezeResponse(_message.Message):
    __slots__ = ["freeze", "revision"]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    freeze: Freeze
    revision: int
    def __init__(self, freeze: _Optional[_Union[Freeze, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetRevisionRequest(_message.Message):
    __slots__ = ["reveal_secrets", "revision"]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    reveal_secrets: bool
    revision: int
    def __init__(self, revision: _Optional[int] = ..., reveal_secrets: bool = ...) -> None: ...

class GetRevisionResponse(_message.Message):
    __slots__ = ["configuration", "endpoints", "revision"]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    configuration: Configuration
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    revision: Revision
    def __init__(self, revision: _Optional[_Union[Revision, _Mapping]] = ..., configuration: _Optional[_Union[Configuration, _Mapping]] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ...) -> None: ...

class GetRolloutRequest(_message.Message):
    __slots__ = ["endpoint"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ...) -> None: ...

class GetShadowReportRequest(_message.Message):
    __slots__ = ["backend", "endpoint"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    backend: str
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ..., backend: _Optional[str] = ...) -> None: ...

class GetShadowReportResponse(_message.Message):
    __slots__ = ["reports", "revision"]
    REPORTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    reports: _containers.RepeatedCompositeFieldContainer[ShadowReport]
    revision: int
    def __init__(self, reports: _Optional[_Iterable[_Union[ShadowReport, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class GetStatsRequest(_message.Message):
    __slots__ = ["deleted", "endpoint"]
    DELETED_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ..., deleted: bool = ...) -> None: ...

class GetTraceRequest(_message.Message):
    __slots__ = ["reveal_secrets", "trace_id"]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    reveal_secrets: bool
    trace_id: str
    def __init__(self, trace_id: _Optional[str] = ..., reveal_secrets: bool = ...) -> None: ...

class GetTraceResponse(_message.Message):
    __slots__ = ["calls"]
    CALLS_FIELD_NUMBER: _ClassVar[int]
    calls: _containers.RepeatedCompositeFieldContainer[CallRecord]
    def __init__(self, calls: _Optional[_Iterable[_Union[CallRecord, _Mapping]]] = ...) -> None: ...

class HandlerKind(_message.Message):
    __slots__ = ["handler"]
    HANDLER_FIELD_NUMBER: _ClassVar[int]
    handler: str
    def __init__(self, handler: _Optional[str] = ...) -> None: ...

class HealthCheckOptions(_message.Message):
    __slots__ = ["healthy_threshold", "interval", "service", "timeout", "unhealthy_threshold"]
    HEALTHY_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    UNHEALTHY_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    healthy_threshold: int
    interval: _duration_pb2.Duration
    service: str
    timeout: _duration_pb2.Duration
    unhealthy_threshold: int
    def __init__(self, interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., service: _Optional[str] = ..., healthy_threshold: _Optional[int] = ..., unhealthy_threshold: _Optional[int] = ...) -> None: ...

class HoldLeasesRequest(_message.Message):
    __slots__ = ["grace_period", "session"]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    grace_period: _duration_pb2.Duration
    session: str
    def __init__(self, session: _Optional[str] = ..., grace_period: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class HoldLeasesResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class HttpShardKey(_message.Message):
    __slots__ = ["cookie", "query"]
    COOKIE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    cookie: str
    query: str
    def __init__(self, cookie: _Optional[str] = ..., query: _Optional[str] = ...) -> None: ...

class Instance(_message.Message):
    __slots__ = ["admin_address", "answering", "data_address", "id", "leader", "name", "problem", "revision", "started", "state", "version"]
    ADMIN_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ANSWERING_FIELD_NUMBER: _ClassVar[int]
    DATA_ADDRESS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    LEADER_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    admin_address: str
    answering: bool
    data_address: str
    id: str
    leader: bool
    name: str
    problem: str
    revision: int
    started: _timestamp_pb2.Timestamp
    state: InstanceState
    version: str
    def __init__(self, id: _Optional[str] = ..., name: _Optional[str] = ..., version: _Optional[str] = ..., data_address: _Optional[str] = ..., admin_address: _Optional[str] = ..., revision: _Optional[int] = ..., started: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., leader: bool = ..., answering: bool = ..., state: _Optional[_Union[InstanceState, str]] = ..., problem: _Optional[str] = ...) -> None: ...

class Interval(_message.Message):
    __slots__ = ["backend", "start"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    START_FIELD_NUMBER: _ClassVar[int]
    backend: str
    start: int
    def __init__(self, start: _Optional[int] = ..., backend: _Optional[str] = ...) -> None: ...

class Latency(_message.Message):
    __slots__ = ["max_us", "mean_us", "p50_us", "p90_us", "p99_us"]
    MAX_US_FIELD_NUMBER: _ClassVar[int]
    MEAN_US_FIELD_NUMBER: _ClassVar[int]
    P50_US_FIELD_NUMBER: _ClassVar[int]
    P90_US_FIELD_NUMBER: _ClassVar[int]
    P99_US_FIELD_NUMBER: _ClassVar[int]
    max_us: float
    mean_us: float
    p50_us: float
    p90_us: float
    p99_us: float
    def __init__(self, mean_us: _Optional[float] = ..., p50_us: _Optional[float] = ..., p90_us: _Optional[float] = ..., p99_us: _Optional[float] = ..., max_us: _Optional[float] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ["program", "session"]
    PROGRAM_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    program: str
    session: str
    def __init__(self, program: _Optional[str] = ..., session: _Optional[str] = ...) -> None: ...

class ListBackendsRequest(_message.Message):
    __slots__ = ["omit_descriptor_sets", "reveal_secrets"]
    OMIT_DESCRIPTOR_SETS_FIELD_NUMBER: _ClassVar[int]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    omit_descriptor_sets: bool
    reveal_secrets: bool
    def __init__(self, reveal_secrets: bool = ..., omit_descriptor_sets: bool = ...) -> None: ...

class ListBackendsResponse(_message.Message):
    __slots__ = ["backends", "revision"]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    revision: int
    def __init__(self, backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListEndpointsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListEndpointsResponse(_message.Message):
    __slots__ = ["endpoints", "revision"]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    revision: int
    def __init__(self, endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., revision: _Optional[int] = ...) -> None: ...

class ListInstancesRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListInstancesResponse(_message.Message):
    __slots__ = ["instances", "store", "store_failure"]
    INSTANCES_FIELD_NUMBER: _ClassVar[int]
    STORE_FAILURE_FIELD_NUMBER: _ClassVar[int]
    STORE_FIELD_NUMBER: _ClassVar[int]
    instances: _containers.RepeatedCompositeFieldContainer[Instance]
    store: str
    store_failure: str
    def __init__(self, instances: _Optional[_Iterable[_Union[Instance, _Mapping]]] = ..., store: _Optional[str] = ..., store_failure: _Optional[str] = ...) -> None: ...

class ListRevisionsRequest(_message.Message):
    __slots__ = ["before_revision", "endpoint", "limit", "rollouts_of"]
    BEFORE_REVISION_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    ROLLOUTS_OF_FIELD_NUMBER: _ClassVar[int]
    before_revision: int
    endpoint: str
    limit: int
    rollouts_of: str
    def __init__(self, before_revision: _Optional[int] = ..., limit: _Optional[int] = ..., rollouts_of: _Optional[str] = ..., endpoint: _Optional[str] = ...) -> None: ...

class ListRevisionsResponse(_message.Message):
    __slots__ = ["current_revision", "oldest_revision", "revisions"]
    CURRENT_REVISION_FIELD_NUMBER: _ClassVar[int]
    OLDEST_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    current_revision: int
    oldest_revision: int
    revisions: _containers.RepeatedCompositeFieldContainer[Revision]
    def __init__(self, revisions: _Optional[_Iterable[_Union[Revision, _Mapping]]] = ..., current_revision: _Optional[int] = ..., oldest_revision: _Optional[int] = ...) -> None: ...

class ListRolloutsRequest(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ListRolloutsResponse(_message.Message):
    __slots__ = ["rollouts"]
    ROLLOUTS_FIELD_NUMBER: _ClassVar[int]
    rollouts: _containers.RepeatedCompositeFieldContainer[Rollout]
    def __init__(self, rollouts: _Optional[_Iterable[_Union[Rollout, _Mapping]]] = ...) -> None: ...

class MetadataEntry(_message.Message):
    __slots__ = ["name", "value"]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    name: str
    value: str
    def __init__(self, name: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...

class ObjectChange(_message.Message):
    __slots__ = ["action", "description", "fields", "kind", "moved_share", "name"]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    MOVED_SHARE_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    action: ChangeAction
    description: str
    fields: _containers.RepeatedCompositeFieldContainer[FieldChange]
    kind: str
    moved_share: float
    name: str
    def __init__(self, action: _Optional[_Union[ChangeAction, str]] = ..., kind: _Optional[str] = ..., name: _Optional[str] = ..., description: _Optional[str] = ..., fields: _Optional[_Iterable[_Union[FieldChange, _Mapping]]] = ..., moved_share: _Optional[float] = ...) -> None: ...

class OutlierOptions(_message.Message):
    __slots__ = ["base_ejection", "consecutive_failures", "failure_share", "interval", "max_ejected_share", "max_ejection", "minimum_requests"]
    BASE_EJECTION_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    FAILURE_SHARE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MAX_EJECTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    MAX_EJECTION_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    base_ejection: _duration_pb2.Duration
    consecutive_failures: int
    failure_share: float
    interval: _duration_pb2.Duration
    max_ejected_share: float
    max_ejection: _duration_pb2.Duration
    minimum_requests: int
    def __init__(self, consecutive_failures: _Optional[int] = ..., failure_share: _Optional[float] = ..., minimum_requests: _Optional[int] = ..., interval: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., base_ejection: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_ejection: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_ejected_share: _Optional[float] = ...) -> None: ...

class PauseRolloutRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class PromoteRolloutRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class RateLimit(_message.Message):
    __slots__ = ["burst", "requests_per_second"]
    BURST_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    burst: int
    requests_per_second: float
    def __init__(self, requests_per_second: _Optional[float] = ..., burst: _Optional[int] = ...) -> None: ...

class ReleaseLeasesRequest(_message.Message):
    __slots__ = ["session"]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    session: str
    def __init__(self, session: _Optional[str] = ...) -> None: ...

class ReleaseLeasesResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class ReplicaStatus(_message.Message):
    __slots__ = ["connections", "ejections", "in_flight", "last_failure", "last_failure_time", "latency", "name", "pid", "requests", "restarts", "revision", "state", "success_share"]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    EJECTIONS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    LAST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    PID_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    RESTARTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_SHARE_FIELD_NUMBER: _ClassVar[int]
    connections: int
    ejections: int
    in_flight: int
    last_failure: str
    last_failure_time: _timestamp_pb2.Timestamp
    latency: Latency
    name: str
    pid: int
    requests: int
    restarts: int
    revision: int
    state: ReplicaState
    success_share: float
    def __init__(self, name: _Optional[str] = ..., state: _Optional[_Union[ReplicaState, str]] = ..., connections: _Optional[int] = ..., in_flight: _Optional[int] = ..., requests: _Optional[int] = ..., success_share: _Optional[float] = ..., latency: _Optional[_Union[Latency, _Mapping]] = ..., last_failure: _Optional[str] = ..., last_failure_time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., ejections: _Optional[int] = ..., pid: _Optional[int] = ..., restarts: _Optional[int] = ..., revision: _Optional[int] = ...) -> None: ...

class ResetShadowReportRequest(_message.Message):
    __slots__ = ["backend", "endpoint"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    backend: str
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ..., backend: _Optional[str] = ...) -> None: ...

class ResetShadowReportResponse(_message.Message):
    __slots__ = []
    def __init__(self) -> None: ...

class RestoreStateRequest(_message.Message):
    __slots__ = ["validate_only"]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    validate_only: bool
    def __init__(self, validate_only: bool = ...) -> None: ...

class RestoreStateResponse(_message.Message):
    __slots__ = ["common_revision", "previous_revision", "revision"]
    COMMON_REVISION_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    common_revision: int
    previous_revision: int
    revision: int
    def __init__(self, previous_revision: _Optional[int] = ..., revision: _Optional[int] = ..., common_revision: _Optional[int] = ...) -> None: ...

class ResumeRolloutRequest(_message.Message):
    __slots__ = ["adopt", "endpoint", "expected_revision", "note", "restore", "validate_only"]
    ADOPT_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    adopt: bool
    endpoint: str
    expected_revision: int
    note: ChangeNote
    restore: bool
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ..., adopt: bool = ..., restore: bool = ...) -> None: ...

class RetryOptions(_message.Message):
    __slots__ = ["budget_per_second", "budget_share", "codes", "initial_delay", "max_attempts", "max_delay"]
    BUDGET_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    BUDGET_SHARE_FIELD_NUMBER: _ClassVar[int]
    CODES_FIELD_NUMBER: _ClassVar[int]
    INITIAL_DELAY_FIELD_NUMBER: _ClassVar[int]
    MAX_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    MAX_DELAY_FIELD_NUMBER: _ClassVar[int]
    budget_per_second: float
    budget_share: float
    codes: _containers.RepeatedScalarFieldContainer[str]
    initial_delay: _duration_pb2.Duration
    max_attempts: int
    max_delay: _duration_pb2.Duration
    def __init__(self, codes: _Optional[_Iterable[str]] = ..., max_attempts: _Optional[int] = ..., initial_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., max_delay: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., budget_share: _Optional[float] = ..., budget_per_second: _Optional[float] = ...) -> None: ...

class Revision(_message.Message):
    __slots__ = ["author", "comment", "revision", "summary", "time", "weights"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    author: str
    comment: str
    revision: int
    summary: str
    time: _timestamp_pb2.Timestamp
    weights: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    def __init__(self, revision: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., author: _Optional[str] = ..., comment: _Optional[str] = ..., summary: _Optional[str] = ..., weights: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ...) -> None: ...

class RollbackRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "revision", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    revision: int
    validate_only: bool
    def __init__(self, revision: _Optional[int] = ..., endpoint: _Optional[str] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class RollbackResponse(_message.Message):
    __slots__ = ["changes", "revision", "warnings"]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    changes: _containers.RepeatedCompositeFieldContainer[ObjectChange]
    revision: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, changes: _Optional[_Iterable[_Union[ObjectChange, _Mapping]]] = ..., revision: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Rollout(_message.Message):
    __slots__ = ["author", "baseline", "endpoint", "freeze", "gates", "in_phase", "log_failure", "log_threshold", "pause", "phase", "plan", "reason", "requests", "revision", "shadow", "started", "started_revision", "step", "warnings", "webhook_problem", "weight"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    IN_PHASE_FIELD_NUMBER: _ClassVar[int]
    LOG_FAILURE_FIELD_NUMBER: _ClassVar[int]
    LOG_THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    PAUSE_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    STARTED_FIELD_NUMBER: _ClassVar[int]
    STARTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    WEBHOOK_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    author: str
    baseline: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    endpoint: str
    freeze: Freeze
    gates: _containers.RepeatedCompositeFieldContainer[RolloutGate]
    in_phase: _duration_pb2.Duration
    log_failure: float
    log_threshold: float
    pause: str
    phase: RolloutPhase
    plan: RolloutPlan
    reason: str
    requests: int
    revision: int
    shadow: float
    started: _timestamp_pb2.Timestamp
    started_revision: int
    step: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    webhook_problem: str
    weight: float
    def __init__(self, endpoint: _Optional[str] = ..., plan: _Optional[_Union[RolloutPlan, _Mapping]] = ..., phase: _Optional[_Union[RolloutPhase, str]] = ..., step: _Optional[int] = ..., reason: _Optional[str] = ..., pause: _Optional[str] = ..., weight: _Optional[float] = ..., shadow: _Optional[float] = ..., in_phase: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., requests: _Optional[int] = ..., gates: _Optional[_Iterable[_Union[RolloutGate, _Mapping]]] = ..., log_failure: _Optional[float] = ..., log_threshold: _Optional[float] = ..., baseline: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ..., author: _Optional[str] = ..., started: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., revision: _Optional[int] = ..., webhook_problem: _Optional[str] = ..., started_revision: _Optional[int] = ..., freeze: _Optional[_Union[Freeze, _Mapping]] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class RolloutEvent(_message.Message):
    __slots__ = ["hook", "rollout", "text", "time"]
    HOOK_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    hook: RolloutHook
    rollout: Rollout
    text: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, hook: _Optional[_Union[RolloutHook, str]] = ..., rollout: _Optional[_Union[Rollout, _Mapping]] = ..., text: _Optional[str] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RolloutGate(_message.Message):
    __slots__ = ["baseline_bad", "candidate_bad", "gate", "log_failure", "log_pass", "passed", "ratio", "requests"]
    BASELINE_BAD_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_BAD_FIELD_NUMBER: _ClassVar[int]
    GATE_FIELD_NUMBER: _ClassVar[int]
    LOG_FAILURE_FIELD_NUMBER: _ClassVar[int]
    LOG_PASS_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    baseline_bad: int
    candidate_bad: int
    gate: str
    log_failure: float
    log_pass: float
    passed: bool
    ratio: RolloutRatio
    requests: int
    def __init__(self, gate: _Optional[str] = ..., requests: _Optional[int] = ..., candidate_bad: _Optional[int] = ..., baseline_bad: _Optional[int] = ..., ratio: _Optional[_Union[RolloutRatio, _Mapping]] = ..., log_failure: _Optional[float] = ..., log_pass: _Optional[float] = ..., passed: bool = ...) -> None: ...

class RolloutPlan(_message.Message):
    __slots__ = ["abort", "alpha", "approval", "bake", "candidate", "gates", "holdout", "maximum", "minimum", "minimum_requests", "on_inconclusive", "require", "steps", "webhooks"]
    ABORT_FIELD_NUMBER: _ClassVar[int]
    ALPHA_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_FIELD_NUMBER: _ClassVar[int]
    BAKE_FIELD_NUMBER: _ClassVar[int]
    CANDIDATE_FIELD_NUMBER: _ClassVar[int]
    GATES_FIELD_NUMBER: _ClassVar[int]
    HOLDOUT_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_REQUESTS_FIELD_NUMBER: _ClassVar[int]
    ON_INCONCLUSIVE_FIELD_NUMBER: _ClassVar[int]
    REQUIRE_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    WEBHOOKS_FIELD_NUMBER: _ClassVar[int]
    abort: str
    alpha: float
    approval: bool
    bake: _duration_pb2.Duration
    candidate: str
    gates: _containers.RepeatedScalarFieldContainer[str]
    holdout: float
    maximum: _duration_pb2.Duration
    minimum: _duration_pb2.Duration
    minimum_requests: int
    on_inconclusive: RolloutInconclusive
    require: RolloutRequirement
    steps: _containers.RepeatedScalarFieldContainer[str]
    webhooks: _containers.RepeatedCompositeFieldContainer[RolloutWebhook]
    def __init__(self, candidate: _Optional[str] = ..., steps: _Optional[_Iterable[str]] = ..., gates: _Optional[_Iterable[str]] = ..., bake: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., minimum: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., maximum: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., minimum_requests: _Optional[int] = ..., require: _Optional[_Union[RolloutRequirement, str]] = ..., on_inconclusive: _Optional[_Union[RolloutInconclusive, str]] = ..., abort: _Optional[str] = ..., holdout: _Optional[float] = ..., approval: bool = ..., alpha: _Optional[float] = ..., webhooks: _Optional[_Iterable[_Union[RolloutWebhook, _Mapping]]] = ...) -> None: ...

class RolloutPreviewStep(_message.Message):
    __slots__ = ["moved_share", "step", "time_to_proof"]
    MOVED_SHARE_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_PROOF_FIELD_NUMBER: _ClassVar[int]
    moved_share: float
    step: str
    time_to_proof: _duration_pb2.Duration
    def __init__(self, step: _Optional[str] = ..., moved_share: _Optional[float] = ..., time_to_proof: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class RolloutRatio(_message.Message):
    __slots__ = ["estimate", "lower", "upper"]
    ESTIMATE_FIELD_NUMBER: _ClassVar[int]
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    estimate: float
    lower: float
    upper: float
    def __init__(self, lower: _Optional[float] = ..., estimate: _Optional[float] = ..., upper: _Optional[float] = ...) -> None: ...

class RolloutWebhook(_message.Message):
    __slots__ = ["on", "url"]
    ON_FIELD_NUMBER: _ClassVar[int]
    URL_FIELD_NUMBER: _ClassVar[int]
    on: _containers.RepeatedScalarFieldContainer[RolloutHook]
    url: str
    def __init__(self, url: _Optional[str] = ..., on: _Optional[_Iterable[_Union[RolloutHook, str]]] = ...) -> None: ...

class SetFreezeRequest(_message.Message):
    __slots__ = ["expected_revision", "frozen", "note", "reason", "until", "validate_only"]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    FROZEN_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    UNTIL_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    expected_revision: int
    frozen: bool
    note: ChangeNote
    reason: str
    until: _timestamp_pb2.Timestamp
    validate_only: bool
    def __init__(self, frozen: bool = ..., reason: _Optional[str] = ..., until: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class SetRateLimitRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "rate_limit", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    RATE_LIMIT_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    rate_limit: RateLimit
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., rate_limit: _Optional[_Union[RateLimit, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class SetShadowComparisonRequest(_message.Message):
    __slots__ = ["comparison", "endpoint", "expected_revision", "note", "validate_only"]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    comparison: ShadowComparison
    endpoint: str
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., comparison: _Optional[_Union[ShadowComparison, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class SetTrafficRequest(_message.Message):
    __slots__ = ["confirm_within", "endpoint", "expected_revision", "note", "override_freeze", "override_rollout", "revert_after", "validate_only", "weights"]
    CONFIRM_WITHIN_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FREEZE_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    REVERT_AFTER_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    WEIGHTS_FIELD_NUMBER: _ClassVar[int]
    confirm_within: _duration_pb2.Duration
    endpoint: str
    expected_revision: int
    note: ChangeNote
    override_freeze: bool
    override_rollout: bool
    revert_after: _duration_pb2.Duration
    validate_only: bool
    weights: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    def __init__(self, endpoint: _Optional[str] = ..., weights: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ..., override_rollout: bool = ..., revert_after: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., confirm_within: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., override_freeze: bool = ...) -> None: ...

class SetTrafficResponse(_message.Message):
    __slots__ = ["endpoint", "moved_share", "packed", "revision", "warnings"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    MOVED_SHARE_FIELD_NUMBER: _ClassVar[int]
    PACKED_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    endpoint: Endpoint
    moved_share: float
    packed: bool
    revision: int
    warnings: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, endpoint: _Optional[_Union[Endpoint, _Mapping]] = ..., moved_share: _Optional[float] = ..., packed: bool = ..., revision: _Optional[int] = ..., warnings: _Optional[_Iterable[str]] = ...) -> None: ...

class Shadow(_message.Message):
    __slots__ = ["backend", "options", "proportion"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PROPORTION_FIELD_NUMBER: _ClassVar[int]
    backend: str
    options: ShadowOptions
    proportion: float
    def __init__(self, backend: _Optional[str] = ..., proportion: _Optional[float] = ..., options: _Optional[_Union[ShadowOptions, _Mapping]] = ...) -> None: ...

class ShadowComparison(_message.Message):
    __slots__ = ["allowed_share", "ignored_fields", "noise_proportion", "redacted_fields", "redacted_metadata", "tolerances"]
    ALLOWED_SHARE_FIELD_NUMBER: _ClassVar[int]
    IGNORED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    NOISE_PROPORTION_FIELD_NUMBER: _ClassVar[int]
    REDACTED_FIELDS_FIELD_NUMBER: _ClassVar[int]
    REDACTED_METADATA_FIELD_NUMBER: _ClassVar[int]
    TOLERANCES_FIELD_NUMBER: _ClassVar[int]
    allowed_share: float
    ignored_fields: _containers.RepeatedScalarFieldContainer[str]
    noise_proportion: float
    redacted_fields: _containers.RepeatedScalarFieldContainer[str]
    redacted_metadata: _containers.RepeatedScalarFieldContainer[str]
    tolerances: _containers.RepeatedCompositeFieldContainer[FieldTolerance]
    def __init__(self, ignored_fields: _Optional[_Iterable[str]] = ..., tolerances: _Optional[_Iterable[_Union[FieldTolerance, _Mapping]]] = ..., redacted_fields: _Optional[_Iterable[str]] = ..., redacted_metadata: _Optional[_Iterable[str]] = ..., noise_proportion: _Optional[float] = ..., allowed_share: _Optional[float] = ...) -> None: ...

class ShadowDecision(_message.Message):
    __slots__ = ["backend", "copied", "proportion"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    COPIED_FIELD_NUMBER: _ClassVar[int]
    PROPORTION_FIELD_NUMBER: _ClassVar[int]
    backend: str
    copied: bool
    proportion: float
    def __init__(self, backend: _Optional[str] = ..., proportion: _Optional[float] = ..., copied: bool = ...) -> None: ...

class ShadowDrops(_message.Message):
    __slots__ = ["count", "reason"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    count: int
    reason: str
    def __init__(self, reason: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class ShadowOptions(_message.Message):
    __slots__ = ["include_own", "max_buffered_bytes", "max_buffered_bytes_per_copy", "max_requests_in_flight", "timeout"]
    INCLUDE_OWN_FIELD_NUMBER: _ClassVar[int]
    MAX_BUFFERED_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BUFFERED_BYTES_PER_COPY_FIELD_NUMBER: _ClassVar[int]
    MAX_REQUESTS_IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    include_own: bool
    max_buffered_bytes: int
    max_buffered_bytes_per_copy: int
    max_requests_in_flight: int
    timeout: _duration_pb2.Duration
    def __init__(self, max_requests_in_flight: _Optional[int] = ..., max_buffered_bytes: _Optional[int] = ..., max_buffered_bytes_per_copy: _Optional[int] = ..., timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., include_own: bool = ...) -> None: ...

class ShadowReport(_message.Message):
    __slots__ = ["backend", "buffered_bytes", "compared", "differing", "differing_beyond_noise", "drops", "endpoint", "equal", "explanation", "fields", "in_flight", "noise_compared", "overload", "own", "pending", "primary_latency", "proportion", "samples", "selected", "shadow_latency", "since", "statuses", "unpaired", "verdict"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    BUFFERED_BYTES_FIELD_NUMBER: _ClassVar[int]
    COMPARED_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_BEYOND_NOISE_FIELD_NUMBER: _ClassVar[int]
    DIFFERING_FIELD_NUMBER: _ClassVar[int]
    DROPS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EQUAL_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    NOISE_COMPARED_FIELD_NUMBER: _ClassVar[int]
    OVERLOAD_FIELD_NUMBER: _ClassVar[int]
    OWN_FIELD_NUMBER: _ClassVar[int]
    PENDING_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_LATENCY_FIELD_NUMBER: _ClassVar[int]
    PROPORTION_FIELD_NUMBER: _ClassVar[int]
    SAMPLES_FIELD_NUMBER: _ClassVar[int]
    SELECTED_FIELD_NUMBER: _ClassVar[int]
    SHADOW_LATENCY_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    UNPAIRED_FIELD_NUMBER: _ClassVar[int]
    VERDICT_FIELD_NUMBER: _ClassVar[int]
    backend: str
    buffered_bytes: int
    compared: int
    differing: int
    differing_beyond_noise: int
    drops: _containers.RepeatedCompositeFieldContainer[ShadowDrops]
    endpoint: str
    equal: int
    explanation: str
    fields: _containers.RepeatedCompositeFieldContainer[FieldDifference]
    in_flight: int
    noise_compared: int
    overload: int
    own: int
    pending: int
    primary_latency: Latency
    proportion: float
    samples: _containers.RepeatedCompositeFieldContainer[DifferenceSample]
    selected: int
    shadow_latency: Latency
    since: _timestamp_pb2.Timestamp
    statuses: _containers.RepeatedCompositeFieldContainer[StatusPair]
    unpaired: int
    verdict: ShadowVerdict
    def __init__(self, endpoint: _Optional[str] = ..., backend: _Optional[str] = ..., proportion: _Optional[float] = ..., since: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., verdict: _Optional[_Union[ShadowVerdict, str]] = ..., explanation: _Optional[str] = ..., selected: _Optional[int] = ..., own: _Optional[int] = ..., drops: _Optional[_Iterable[_Union[ShadowDrops, _Mapping]]] = ..., unpaired: _Optional[int] = ..., overload: _Optional[int] = ..., pending: _Optional[int] = ..., compared: _Optional[int] = ..., equal: _Optional[int] = ..., differing: _Optional[int] = ..., differing_beyond_noise: _Optional[int] = ..., noise_compared: _Optional[int] = ..., fields: _Optional[_Iterable[_Union[FieldDifference, _Mapping]]] = ..., statuses: _Optional[_Iterable[_Union[StatusPair, _Mapping]]] = ..., primary_latency: _Optional[_Union[Latency, _Mapping]] = ..., shadow_latency: _Optional[_Union[Latency, _Mapping]] = ..., samples: _Optional[_Iterable[_Union[DifferenceSample, _Mapping]]] = ..., in_flight: _Optional[int] = ..., buffered_bytes: _Optional[int] = ...) -> None: ...

class ShadowTrafficRequest(_message.Message):
    __slots__ = ["backend", "endpoint", "expected_revision", "note", "options", "proportion", "validate_only"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    PROPORTION_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    backend: str
    endpoint: str
    expected_revision: int
    note: ChangeNote
    options: ShadowOptions
    proportion: float
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., backend: _Optional[str] = ..., proportion: _Optional[float] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., options: _Optional[_Union[ShadowOptions, _Mapping]] = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class StartRolloutRequest(_message.Message):
    __slots__ = ["endpoint", "expected_revision", "note", "plan", "validate_only"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    expected_revision: int
    note: ChangeNote
    plan: RolloutPlan
    validate_only: bool
    def __init__(self, endpoint: _Optional[str] = ..., plan: _Optional[_Union[RolloutPlan, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class StartRolloutResponse(_message.Message):
    __slots__ = ["error_share", "preview", "requests_per_second", "revision", "rollout"]
    ERROR_SHARE_FIELD_NUMBER: _ClassVar[int]
    PREVIEW_FIELD_NUMBER: _ClassVar[int]
    REQUESTS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    ROLLOUT_FIELD_NUMBER: _ClassVar[int]
    error_share: float
    preview: _containers.RepeatedCompositeFieldContainer[RolloutPreviewStep]
    requests_per_second: float
    revision: int
    rollout: Rollout
    def __init__(self, rollout: _Optional[_Union[Rollout, _Mapping]] = ..., preview: _Optional[_Iterable[_Union[RolloutPreviewStep, _Mapping]]] = ..., revision: _Optional[int] = ..., requests_per_second: _Optional[float] = ..., error_share: _Optional[float] = ...) -> None: ...

class Stats(_message.Message):
    __slots__ = ["backends", "connections", "endpoints", "freeze", "revision", "seconds", "time", "unrouted"]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    CONNECTIONS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    FREEZE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SECONDS_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    UNROUTED_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedCompositeFieldContainer[BackendStats]
    connections: int
    endpoints: _containers.RepeatedCompositeFieldContainer[EndpointStats]
    freeze: Freeze
    revision: int
    seconds: float
    time: _timestamp_pb2.Timestamp
    unrouted: int
    def __init__(self, time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., seconds: _Optional[float] = ..., backends: _Optional[_Iterable[_Union[BackendStats, _Mapping]]] = ..., revision: _Optional[int] = ..., connections: _Optional[int] = ..., unrouted: _Optional[int] = ..., freeze: _Optional[_Union[Freeze, _Mapping]] = ..., endpoints: _Optional[_Iterable[_Union[EndpointStats, _Mapping]]] = ...) -> None: ...

class StatusCount(_message.Message):
    __slots__ = ["code", "count", "name"]
    CODE_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    code: int
    count: int
    name: str
    def __init__(self, code: _Optional[int] = ..., name: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class StatusPair(_message.Message):
    __slots__ = ["count", "primary", "shadow"]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    count: int
    primary: str
    shadow: str
    def __init__(self, primary: _Optional[str] = ..., shadow: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class TapRequest(_message.Message):
    __slots__ = ["backends", "calls_per_second", "endpoint", "reveal_secrets", "shadows", "shard_key", "share", "statuses"]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    CALLS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    SHADOWS_FIELD_NUMBER: _ClassVar[int]
    SHARD_KEY_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    STATUSES_FIELD_NUMBER: _ClassVar[int]
    backends: _containers.RepeatedScalarFieldContainer[str]
    calls_per_second: int
    endpoint: str
    reveal_secrets: bool
    shadows: bool
    shard_key: bytes
    share: float
    statuses: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, endpoint: _Optional[str] = ..., backends: _Optional[_Iterable[str]] = ..., statuses: _Optional[_Iterable[str]] = ..., shard_key: _Optional[bytes] = ..., shadows: bool = ..., share: _Optional[float] = ..., calls_per_second: _Optional[int] = ..., reveal_secrets: bool = ...) -> None: ...

class TapResponse(_message.Message):
    __slots__ = ["call", "dropped"]
    CALL_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    call: CallRecord
    dropped: int
    def __init__(self, call: _Optional[_Union[CallRecord, _Mapping]] = ..., dropped: _Optional[int] = ...) -> None: ...

class TrafficTimeBox(_message.Message):
    __slots__ = ["author", "before", "confirmable", "reverts"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    BEFORE_FIELD_NUMBER: _ClassVar[int]
    CONFIRMABLE_FIELD_NUMBER: _ClassVar[int]
    REVERTS_FIELD_NUMBER: _ClassVar[int]
    author: str
    before: _containers.RepeatedCompositeFieldContainer[BackendWeight]
    confirmable: bool
    reverts: _timestamp_pb2.Timestamp
    def __init__(self, reverts: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., confirmable: bool = ..., before: _Optional[_Iterable[_Union[BackendWeight, _Mapping]]] = ..., author: _Optional[str] = ...) -> None: ...

class UpdateBackendRequest(_message.Message):
    __slots__ = ["backend", "expected_revision", "note", "validate_only"]
    BACKEND_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_REVISION_FIELD_NUMBER: _ClassVar[int]
    NOTE_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    backend: Backend
    expected_revision: int
    note: ChangeNote
    validate_only: bool
    def __init__(self, backend: _Optional[_Union[Backend, _Mapping]] = ..., expected_revision: _Optional[int] = ..., validate_only: bool = ..., note: _Optional[_Union[ChangeNote, _Mapping]] = ...) -> None: ...

class UpstreamKind(_message.Message):
    __slots__ = ["addresses", "tls"]
    ADDRESSES_FIELD_NUMBER: _ClassVar[int]
    TLS_FIELD_NUMBER: _ClassVar[int]
    addresses: _containers.RepeatedScalarFieldContainer[str]
    tls: UpstreamTls
    def __init__(self, addresses: _Optional[_Iterable[str]] = ..., tls: _Optional[_Union[UpstreamTls, _Mapping]] = ...) -> None: ...

class UpstreamTls(_message.Message):
    __slots__ = ["ca_file", "certificate_file", "key_file", "server_name"]
    CA_FILE_FIELD_NUMBER: _ClassVar[int]
    CERTIFICATE_FILE_FIELD_NUMBER: _ClassVar[int]
    KEY_FILE_FIELD_NUMBER: _ClassVar[int]
    SERVER_NAME_FIELD_NUMBER: _ClassVar[int]
    ca_file: str
    certificate_file: str
    key_file: str
    server_name: str
    def __init__(self, ca_file: _Optional[str] = ..., certificate_file: _Optional[str] = ..., key_file: _Optional[str] = ..., server_name: _Optional[str] = ...) -> None: ...

class ValuePair(_message.Message):
    __slots__ = ["place", "primary", "shadow"]
    PLACE_FIELD_NUMBER: _ClassVar[int]
    PRIMARY_FIELD_NUMBER: _ClassVar[int]
    SHADOW_FIELD_NUMBER: _ClassVar[int]
    place: str
    primary: str
    shadow: str
    def __init__(self, place: _Optional[str] = ..., primary: _Optional[str] = ..., shadow: _Optional[str] = ...) -> None: ...

class WatchRequest(_message.Message):
    __slots__ = ["from_revision", "reveal_secrets"]
    FROM_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVEAL_SECRETS_FIELD_NUMBER: _ClassVar[int]
    from_revision: int
    reveal_secrets: bool
    def __init__(self, from_revision: _Optional[int] = ..., reveal_secrets: bool = ...) -> None: ...

class WatchResponse(_message.Message):
    __slots__ = ["author", "backends", "comment", "deleted_backends", "deleted_endpoints", "endpoints", "revision", "snapshot", "summary", "time"]
    AUTHOR_FIELD_NUMBER: _ClassVar[int]
    BACKENDS_FIELD_NUMBER: _ClassVar[int]
    COMMENT_FIELD_NUMBER: _ClassVar[int]
    DELETED_BACKENDS_FIELD_NUMBER: _ClassVar[int]
    DELETED_ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    ENDPOINTS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    author: str
    backends: _containers.RepeatedCompositeFieldContainer[Backend]
    comment: str
    deleted_backends: _containers.RepeatedScalarFieldContainer[str]
    deleted_endpoints: _containers.RepeatedScalarFieldContainer[str]
    endpoints: _containers.RepeatedCompositeFieldContainer[Endpoint]
    revision: int
    snapshot: bool
    summary: str
    time: _timestamp_pb2.Timestamp
    def __init__(self, revision: _Optional[int] = ..., time: _Optional[_Union[_timestamp_pb2.Timestamp, _Mapping]] = ..., snapshot: bool = ..., backends: _Optional[_Iterable[_Union[Backend, _Mapping]]] = ..., deleted_backends: _Optional[_Iterable[str]] = ..., endpoints: _Optional[_Iterable[_Union[Endpoint, _Mapping]]] = ..., deleted_endpoints: _Optional[_Iterable[str]] = ..., author: _Optional[str] = ..., comment: _Optional[str] = ..., summary: _Optional[str] = ...) -> None: ...

class WatchRolloutRequest(_message.Message):
    __slots__ = ["endpoint"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    def __init__(self, endpoint: _Optional[str] = ...) -> None: ...

class WatchStatsRequest(_message.Message):
    __slots__ = ["endpoint", "interval_ms", "past_seconds"]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_MS_FIELD_NUMBER: _ClassVar[int]
    PAST_SECONDS_FIELD_NUMBER: _ClassVar[int]
    endpoint: str
    interval_ms: int
    past_seconds: int
    def __init__(self, endpoint: _Optional[str] = ..., interval_ms: _Optional[int] = ..., past_seconds: _Optional[int] = ...) -> None: ...

class WorkerKind(_message.Message):
    __slots__ = ["command", "environment", "grace_period", "replicas", "start_timeout", "working_directory"]
    class EnvironmentEntry(_message.Message):
        __slots__ = ["key", "value"]
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    COMMAND_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    GRACE_PERIOD_FIELD_NUMBER: _ClassVar[int]
    REPLICAS_FIELD_NUMBER: _ClassVar[int]
    START_TIMEOUT_FIELD_NUMBER: _ClassVar[int]
    WORKING_DIRECTORY_FIELD_NUMBER: _ClassVar[int]
    command: _containers.RepeatedScalarFieldContainer[str]
    environment: _containers.ScalarMap[str, str]
    grace_period: _duration_pb2.Duration
    replicas: int
    start_timeout: _duration_pb2.Duration
    working_directory: str
    def __init__(self, command: _Optional[_Iterable[str]] = ..., replicas: _Optional[int] = ..., environment: _Optional[_Mapping[str, str]] = ..., working_directory: _Optional[str] = ..., start_timeout: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ..., grace_period: _Optional[_Union[_duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class LeaseState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ReplicaState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ShadowVerdict(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RolloutHook(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RolloutRequirement(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RolloutInconclusive(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class RolloutPhase(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class ChangeAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class AccessRole(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []

class InstanceState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = []
