"""Numbers that may be percentages (IntOrString), as update strategies have them."""

from __future__ import annotations


def of(value: int | str | None, total: int, *, round_up: bool, default: int | str) -> int:
    """`value` (or `default` when absent) of `total`; a percentage is rounded as asked."""
    wanted = default if value is None else value
    if isinstance(wanted, int):
        return wanted
    percent = int(wanted.rstrip("%"))
    return -(-percent * total // 100) if round_up else percent * total // 100
