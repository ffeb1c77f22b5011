"""Waits for conditions. Only these functions of the tests sleep."""

import os
import time

# Time limits are multiplied by this factor, for slow builds.
PATIENCE = int(os.environ.get("WEIR_PATIENCE", "1"))
SECONDS = 20 * PATIENCE

_INTERVAL = 0.01


def wait_for(condition, seconds=SECONDS):
    """Waits until a condition holds; returns the elapsed seconds."""
    start = time.monotonic()
    while not condition():
        assert time.monotonic() - start < seconds, "the condition did not hold in time"
        time.sleep(_INTERVAL)
    return time.monotonic() - start


def polled(read, condition, seconds=SECONDS, interval=0.05):
    """Reads a value until a condition holds for it; returns the value."""
    end = time.monotonic() + seconds
    while not condition(value := read()):
        assert time.monotonic() < end, str(value)
        time.sleep(interval)
    return value


def stays(condition, seconds):
    """Whether a condition holds all the time, for events that must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            return False
        time.sleep(_INTERVAL)
    return condition()


def highest(read, seconds):
    """The highest value that is read in a time."""
    end = time.monotonic() + seconds
    value = read()
    while time.monotonic() < end:
        time.sleep(_INTERVAL)
        value = max(value, read())
    return value
