"""The JSONPaths of CustomResourceDefinitions: printer columns, scale paths, selectable fields; pure.

The part of client-go's `util/jsonpath` that finds values: names (with escaped dots), indexes, slices, wildcards and
filters that compare one field. A path that can't be read finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import msgspec

_STEP = re.compile(
    r"""\.(?P<name>(?:\\.|[^.\[\]\\])+)
      | \[\s*(?P<quote>['"])(?P<quoted>(?:\\.|(?!(?P=quote)).)*)(?P=quote)\s*\]
      | \[\s*\?\((?P<filter>.*?)\)\s*\]
      | \[\s*(?P<index>-?\d+)\s*\]
      | \[\s*(?P<start>-?\d*)\s*:\s*(?P<end>-?\d*)\s*\]
      | (?:\.|\[)\s*(?P<all>\*)\s*\]?""",
    re.VERBOSE,
)
_FILTER = re.compile(r"\s*@(?P<path>[^=!<>]+?)\s*(?P<operator>==|!=|<=|>=|<|>)\s*(?P<value>.+?)\s*")


@lru_cache(maxsize=1024)
def _steps(path: str) -> tuple[re.Match[str], ...] | None:
    """None for what can't be read."""
    found, at = [], 0
    while at < len(path):
        step = _STEP.match(path, at)
        if step is None:
            return None
        found.append(step)
        at = step.end()
    return tuple(found)


def names(path: str) -> list[str] | None:
    """The field names of a plain path (`.spec.replicas`); None for any other."""
    steps = _steps(path)
    if not steps or any(step["name"] in (None, "*") for step in steps):
        return None
    return [_unescaped(step["name"]) for step in steps]


def find(value: Any, path: str) -> list[Any]:
    """The values at `path`, which starts with a dot; none when it leads nowhere."""
    found = [value]
    for step in _steps(path) or ():
        found = [item for one in found for item in _taken(one, step)]
    return found if _steps(path) else []


def first(value: Any, path: str) -> Any:
    return next(iter(find(value, path)), None)


def _taken(value: Any, step: re.Match[str]) -> Iterator[Any]:
    name = step["name"] if step["name"] is not None else step["quoted"]
    if step["all"] or name == "*":
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif name is not None:
        if isinstance(value, dict) and _unescaped(name) in value:
            yield value[_unescaped(name)]
    elif not isinstance(value, list):
        return
    elif step["filter"] is not None:
        yield from (item for item in value if _passes(item, step["filter"]))
    elif step["index"] is not None:
        index = int(step["index"])
        yield from value[index:][:1] if -len(value) <= index < len(value) else ()
    else:
        yield from value[int(step["start"] or 0) : int(step["end"]) if step["end"] else None]


def _passes(item: Any, condition: str) -> bool:
    found = _FILTER.fullmatch(condition)
    if found is None:
        return bool(find(item, condition.strip().removeprefix("@")))
    try:
        wanted = msgspec.json.decode(re.sub(r"^'(.*)'$", r'"\1"', found["value"]))
    except msgspec.DecodeError:
        return False
    values = find(item, found["path"])
    try:
        return bool(values) and _compares(values[0], found["operator"], wanted)
    except TypeError:
        return False


def _compares(value: Any, operator: str, wanted: Any) -> bool:
    match operator:
        case "==":
            return bool(value == wanted)
        case "!=":
            return bool(value != wanted)
        case "<":
            return bool(value < wanted)
        case ">":
            return bool(value > wanted)
        case "<=":
            return bool(value <= wanted)
        case _:
            return bool(value >= wanted)


def _unescaped(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name)


def text(value: Any) -> str:
    """As Go prints a value that was found."""
    match value:
        case str():
            return value
        case bool():
            return str(value).lower()
        case None:
            return "<nil>"
        case dict() | list():
            return msgspec.json.encode(value, order="sorted").decode()
        case _:
            return str(value)
