"""Computes the backend of a shard key locally.

The point of a key is `XXH64(key, XXH64(endpoint, 0))`; each interval of an endpoint has an owner.
`protos/vectors/affinity.json` has test vectors for every language.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass
from typing import Sequence, Tuple, Union

import xxhash

ShardKey = Union[str, bytes]


@dataclass(frozen=True)
class Owner:
    """The owner of a shard key: the backend, and the interval that contains the key's point."""

    backend: str
    point: int
    first: int
    last: int


class AffinityMap:
    """Intervals that cover the points [0, 2^64), each with one owner."""

    def __init__(self, endpoint: str, intervals: Sequence[Tuple[int, str]]) -> None:
        """`intervals` are pairs of first point and owner, as `GetEndpoint` returns them."""
        if not intervals or intervals[0][0] != 0:
            raise ValueError("the intervals of an affinity map must begin at 0")
        self.endpoint = endpoint
        self.intervals = list(intervals)
        self._starts = [start for start, _ in intervals]
        self._seed: int = xxhash.xxh64_intdigest(endpoint.encode(), seed=0)

    def point(self, shard_key: ShardKey) -> int:
        """The point of a key; text is encoded as UTF-8."""
        key = shard_key.encode() if isinstance(shard_key, str) else shard_key
        point: int = xxhash.xxh64_intdigest(key, seed=self._seed)
        return point

    def explain(self, shard_key: ShardKey) -> Owner:
        """The owner of a key. An empty key counts as no key, and raises ValueError."""
        if not shard_key:
            raise ValueError(
                "the shard key is empty; without a key, Weir selects the backend at random")
        point = self.point(shard_key)
        index = bisect.bisect_right(self._starts, point) - 1
        last = self._starts[index + 1] - 1 if index + 1 < len(self._starts) else 2**64 - 1
        start, backend = self.intervals[index]
        return Owner(backend, point, start, last)
