"""Checks of arguments, before they become messages whose errors do not name them."""

from __future__ import annotations

import datetime
import numbers
from typing import Any, Dict, Mapping, Optional, Sequence

WEEK = 7 * 24 * 3600
"""The longest duration of a rollout or of a change that reverts, in seconds."""


def of_kind(name: str, value: Any, kind: Any, valid: str) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"invalid {name} {value!r}: use {valid}")
    return value


def endpoint_name(value: Any) -> str:
    name: str = of_kind("endpoint", value, str, "the name of an endpoint")
    return name


def texts(name: str, value: Any, valid: str) -> Sequence[str]:
    # A single text is a sequence of characters.
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not all(
            isinstance(one, str) for one in value):
        raise ValueError(f"invalid {name} {value!r}: use a list of texts, for example {valid}")
    return value


def _real(value: Any) -> Optional[float]:
    """A number of any type, also those of numpy; None for other values."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def number(name: str, value: Any, least: float, most: float) -> float:
    real = _real(value)
    if real is None or not least <= real <= most:
        raise ValueError(f"invalid {name} {value!r}: use a number from {least} to {most}")
    return real


def one_of(name: str, value: Any, known: Mapping[str, Any]) -> Any:
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"invalid {name} {value!r}: use {' or '.join(known)}")
    return known[value]


def weights(value: Any) -> Mapping[str, float]:
    """Weights by backend. The server checks their range and their sum."""
    valid = 'a dictionary such as {"v1": 0.9, "v2": 0.1}'
    reals: Dict[str, float] = {}
    for backend, weight in of_kind("traffic", value, Mapping, valid).items():
        real = _real(weight)
        if not isinstance(backend, str) or real is None:
            raise ValueError(
                f"invalid traffic: the weight {weight!r} of backend {backend!r} is not a number; "
                f"use {valid}")
        reals[backend] = real
    return reals


def time_with_zone(name: str, value: Any) -> datetime.datetime:
    valid = "a datetime with a time zone, for example datetime.timezone.utc"
    time: datetime.datetime = of_kind(name, value, datetime.datetime, valid)
    if time.tzinfo is None:
        raise ValueError(f"{name} must have a time zone, for example datetime.timezone.utc")
    return time
