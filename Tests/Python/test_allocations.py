"""Heap allocations per request: a fixed threshold."""

import count_allocations

from conftest import BUILD

# A debug build; `make bench` holds the release build to 6.
DEBUG_THRESHOLD = 200


def test_allocations_per_request_stay_below_the_threshold():
    per_request = count_allocations.measure(BUILD / "FixtureServer")
    print(f"{per_request:.1f} allocations per request")
    assert per_request <= DEBUG_THRESHOLD
