"""Sets of completion indexes, and their compressed text form (`0,2-5,7`). Pure."""

from __future__ import annotations

from collections.abc import Collection, Set

Indexes = frozenset[int]


def parse(text: str, completions: int) -> Indexes:
    """The indexes below `completions` that `text` lists; parts that aren't numbers are passed over."""
    found: set[int] = set()
    for part in text.split(",") if text else ():
        limits = part.split("-")
        if all(limit.isdigit() for limit in limits):
            found.update(range(int(limits[0]), min(int(limits[-1]) + 1, completions)))
    return frozenset(found)


def text_of(indexes: Collection[int]) -> str:
    """Neighbours are joined, three or more of them by a dash."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and runs[-1][1] == index - 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ",".join(_run(first, last) for first, last in runs)


def _run(first: int, last: int) -> str:
    if first == last:
        return str(first)
    return f"{first},{last}" if last == first + 1 else f"{first}-{last}"


def first_missing(taken: Set[int], count: int, completions: int) -> list[int]:
    """The `count` lowest indexes that aren't taken."""
    chosen: list[int] = []
    for index in range(completions):
        if len(chosen) >= count:
            break
        if index not in taken:
            chosen.append(index)
    return chosen
