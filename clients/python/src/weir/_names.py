"""Ray Serve's names of arguments, next to ours."""

from __future__ import annotations

import functools
from typing import Any, Callable, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def also_named(**names: str) -> Callable[[F], F]:
    """Accepts other names for arguments: `also_named(backend_tag="name")`."""
    def decorate(function: F) -> F:
        @functools.wraps(function)
        def call(*arguments: Any, **named: Any) -> Any:
            for other, own in names.items():
                if other in named:
                    if own in named:
                        raise TypeError(
                            f"{function.__name__}() got both {own!r} and {other!r}, which are the "
                            "same argument")
                    named[own] = named.pop(other)
            return function(*arguments, **named)

        return cast(F, call)

    return decorate
