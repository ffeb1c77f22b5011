"""Heap allocations per request: a threshold that nobody raises by accident."""

import sys

from conftest import BUILD, ROOT

sys.path.insert(0, str(ROOT / "Benchmarks"))

import count_allocations  # noqa: E402

# A debug build; `make bench` holds the release build to 6.
DEBUG_THRESHOLD = 200


def test_allocations_per_request_stay_below_the_threshold():
    per_request = count_allocations.measure(BUILD / "FixtureServer")
    print(f"{per_request:.1f} allocations per request")
    assert per_request <= DEBUG_THRESHOLD
