"""Runtime calls per request: fixed thresholds."""

import pytest
import runtime_calls

from conftest import BUILD

# A debug build; `make bench` has the thresholds of the release build.
DEBUG_ALLOCATIONS = 200


@pytest.mark.parametrize("depth", [1, 100])
def test_allocations_per_request_stay_below_the_threshold(depth):
    allocations, references = runtime_calls.measure(BUILD / "FixtureServer", depth)
    print(f"{allocations:.1f} allocations, {references:.1f} retains and releases per request")
    assert 0 < allocations <= DEBUG_ALLOCATIONS
    assert references > 0
