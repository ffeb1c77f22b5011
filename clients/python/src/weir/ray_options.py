"""Ray Serve's `ray_actor_options`, which Weir accepts without using them."""

from __future__ import annotations

import warnings
from typing import Any, Mapping, Optional


def check(options: Optional[Mapping[str, Any]]) -> None:
    """Warns about options without a meaning in Weir. Raises TypeError unless they are a dictionary.
    """
    if options is None:
        return
    if not isinstance(options, Mapping):
        raise TypeError(f"ray_actor_options must be a dictionary, not {options!r}")
    if options:
        warnings.warn(
            f"Weir ignores ray_actor_options: {', '.join(map(str, options))}. It does not reserve "
            "resources; the process that serves the backend uses what its machine has.",
            stacklevel=4)
