"""The calls of a client that change endpoints and their traffic."""

from __future__ import annotations

import dataclasses
import datetime
from typing import TYPE_CHECKING, Dict, List, Mapping, Optional, Sequence, TypeVar

from weir import _operations as operations
from weir import errors, types
from weir._names import also_named
from weir._operations import ChangeOptions, Operation
from weir.serving import LocalBackends

T = TypeVar("T")


class Endpoints:
    """The part of `weir.Client` for endpoints."""

    _local: LocalBackends
    _created_endpoints: Dict[str, str]

    if TYPE_CHECKING:
        def _run(self, operation: Operation[T]) -> T: ...
        def _siblings(self) -> "List[Endpoints]": ...
        def _change_options(
            self, expected_revision: Optional[int], validate_only: bool, comment: str
        ) -> ChangeOptions: ...

    @also_named(endpoint_name="name")
    def create_endpoint(
        self,
        name: str,
        *,
        backend: str,
        route: Optional[str] = None,
        methods: Optional[Sequence[str]] = None,
        cors: Optional[types.CorsPolicy] = None,
        http_shard_key: types.HttpShardKey = types.HttpShardKey(),
        replace: bool = False,
        exist_ok: bool = False,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Adds an endpoint that routes all requests to one backend.

        `route` is a plain path for HTTP (`"/fifty"`, or the prefix `"/files/"`), a gRPC service
        (`"/pkg.Service/"`) or method. Without a route, clients call the endpoint only by name.
        `methods`, for example `["GET", "POST"]`, are the methods of plain HTTP requests that it
        accepts; others get status 405. Without it, it accepts all. With `cors`, scripts of the
        named web pages may send requests. With `http_shard_key`, requests of HTTP may have their
        shard key in a cookie or in the query.

        An endpoint of this name is replaced with `replace`, which routes all its requests to
        `backend`, or kept unchanged with `exist_ok`; otherwise AlreadyExists is raised. Code that
        runs again with the same arguments, as a cell of a notebook, keeps its own endpoint.

        `replace` with other properties than the backend deletes the endpoint and creates it: its
        shadows, rate limit, comparison and assignment of shard keys are lost, and requests fail for
        a moment.
        """
        if replace and exist_ok:
            raise ValueError(
                "use replace to replace the endpoint, or exist_ok to keep it, not both")
        accepted = _methods(methods)
        options = self._change_options(expected_revision, validate_only, comment)
        try:
            endpoint = self._run(
                operations.create_endpoint(
                    name, backend, route, accepted, cors, http_shard_key, options))
        except errors.AlreadyExists as error:
            existing = self.list_endpoints().get(name)
            if existing is None:
                # The route is taken.
                raise
            if replace:
                return self._replace_endpoint(
                    existing, backend, route, accepted, cors, http_shard_key, options)
            is_own = _is_same(existing, route, accepted, cors, http_shard_key) and (
                self._made_endpoint(name, backend)
                or backend in existing.traffic and self._local.get(backend) is not None)
            if not exist_ok and not is_own:
                raise errors.AlreadyExists(
                    f"{error.message}; use replace=True to replace it, or exist_ok=True to keep it",
                    field=error.field, reason=error.reason, details=error.details) from None
            if is_own and not validate_only:
                self._created_endpoints[name] = backend
            return existing
        if not validate_only:
            self._created_endpoints[name] = backend
        return endpoint

    def _replace_endpoint(
        self, existing: types.Endpoint, backend: str, route: Optional[str], methods: List[str],
        cors: Optional[types.CorsPolicy], shard_key: types.HttpShardKey, options: ChangeOptions,
    ) -> types.Endpoint:
        if _is_same(existing, route, methods, cors, shard_key):
            change = self._run(operations.set_traffic(
                existing.name, {backend: 1.0}, None, None, False, False, options))
            return change.endpoint
        # Checks everything before the endpoint is deleted, whose route is taken until then.
        checked = self._run(operations.create_endpoint(
            f"{existing.name}.new"[-128:], backend,
            None if route == existing.route else route, methods, cors, shard_key, options.trial()))
        if options.validate_only:
            return dataclasses.replace(checked, name=existing.name, route=route or "")
        self._run(operations.delete_endpoint(existing.name, options))
        endpoint = self._run(
            operations.create_endpoint(
                existing.name, backend, route, methods, cors, shard_key, options.latest()))
        self._created_endpoints[existing.name] = backend
        return endpoint

    def _made_endpoint(self, name: str, backend: str) -> bool:
        """Whether this program created an endpoint for a backend."""
        return any(
            client._created_endpoints.get(name) == backend for client in self._siblings())

    @also_named(endpoint="name")
    def delete_endpoint(
        self,
        name: str,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Deletes an endpoint, but not its backends."""
        options = self._change_options(expected_revision, validate_only, comment)
        self._run(operations.delete_endpoint(name, options))
        if not validate_only:
            self._created_endpoints.pop(name, None)

    def get_endpoint(self, name: str) -> types.Endpoint:
        """Returns one endpoint; its `explain` computes the backend of a shard key locally."""
        return self._run(operations.get_endpoint(name))

    def list_endpoints(self) -> Dict[str, types.Endpoint]:
        """Returns all endpoints by name."""
        return self._run(operations.list_endpoints())

    @also_named(endpoint_name="endpoint", traffic_policy_dictionary="traffic")
    def set_traffic(
        self,
        endpoint: str,
        traffic: Mapping[str, float],
        *,
        revert_after: Optional[float] = None,
        confirm_within: Optional[float] = None,
        override_rollout: bool = False,
        override_freeze: bool = False,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.TrafficChange:
        """Replaces the weights of an endpoint atomically.

        Raises InvalidTraffic unless they sum to 1. The change moves the minimum of shard keys;
        `moved_share` of the result is their share.

        The previous weights return after `revert_after` seconds, or unless `confirm_traffic` is
        called within `confirm_within` seconds. `override_rollout` changes the weights although a
        rollout owns them, and pauses the rollout. `override_freeze` changes them during a freeze.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.set_traffic(
            endpoint, traffic, revert_after, confirm_within, override_rollout, override_freeze,
            options))

    def confirm_traffic(
        self,
        endpoint: str,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Keeps the weights of a `set_traffic` with `confirm_within`."""
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.confirm_traffic(endpoint, options))

    def freeze(
        self,
        reason: str,
        *,
        until: Optional[datetime.datetime] = None,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> Optional[types.Freeze]:
        """Makes the server reject changes, except rollbacks, aborts and `unfreeze`.

        The freeze ends at `until`, a time with a time zone, or with `unfreeze`.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.set_freeze(reason, until, options))

    def unfreeze(
        self,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> None:
        """Ends a freeze."""
        options = self._change_options(expected_revision, validate_only, comment)
        self._run(operations.end_freeze(options))

    def get_freeze(self) -> Optional[types.Freeze]:
        """Returns the present freeze; None if the server accepts changes."""
        return self._run(operations.get_freeze())

    def get_traffic(self, endpoint: str) -> Dict[str, float]:
        """Returns the weights of an endpoint."""
        return dict(self.get_endpoint(endpoint).traffic)

    @also_named(endpoint_name="endpoint", backend_tag="backend")
    def shadow_traffic(
        self,
        endpoint: str,
        backend: str,
        proportion: float,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Copies a share of an endpoint's requests to a backend; 0 removes the shadow.

        A shadow does not affect the responses to clients.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.shadow_traffic(endpoint, backend, proportion, options))

    def set_rate_limit(
        self,
        endpoint: str,
        requests_per_second: Optional[float],
        burst: int = 0,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Limits the requests per second of an endpoint; None removes the limit.

        `burst` is the number of requests at once, by default those of one second.
        """
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(
            operations.set_rate_limit(endpoint, requests_per_second, burst, options))

    def set_shadow_comparison(
        self,
        endpoint: str,
        comparison: types.ShadowComparison,
        *,
        expected_revision: Optional[int] = None,
        validate_only: bool = False,
        comment: str = "",
    ) -> types.Endpoint:
        """Replaces the rules that compare the responses of an endpoint's shadows."""
        options = self._change_options(expected_revision, validate_only, comment)
        return self._run(operations.set_shadow_comparison(endpoint, comparison, options))

    def reset_shadow_report(self, endpoint: str, backend: str = "") -> None:
        """Resets the reports of an endpoint's shadows, or of one of them."""
        self._run(operations.reset_shadow_report(endpoint, backend))


def _is_same(
    existing: types.Endpoint, route: Optional[str], methods: List[str],
    cors: Optional[types.CorsPolicy], shard_key: types.HttpShardKey,
) -> bool:
    """Whether an endpoint has these properties."""
    return ((route or "") == existing.route and sorted(set(methods)) == list(existing.methods)
            and cors == existing.cors and shard_key == existing.http_shard_key)


def _methods(methods: Optional[Sequence[str]]) -> List[str]:
    """Methods of HTTP in upper case. Raises TypeError unless they are a list of text."""
    if methods is None:
        return []
    if isinstance(methods, str) or not all(isinstance(one, str) for one in methods):
        raise TypeError(f"methods must be a list of text, for example ['GET'], not {methods!r}")
    if not methods:
        raise ValueError("methods is empty: name at least one, or omit it to accept all")
    return [one.upper() for one in methods]
