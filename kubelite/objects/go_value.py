"""Values as Go's `%v` prints them, which is how some of upstream's errors show what they are about. Pure."""

from __future__ import annotations

from typing import Any


def go_value(value: Any) -> str:
    """The value as Go's `%v` prints it: `map[spec:map[replicas:2]]`."""
    match value:
        case dict():
            return f"map[{' '.join(f'{key}:{go_value(value[key])}' for key in sorted(value))}]"
        case list():
            return f"[{' '.join(map(go_value, value))}]"
        case None:
            return "<nil>"
        case bool():
            return str(value).lower()
        case _:
            return str(value)
