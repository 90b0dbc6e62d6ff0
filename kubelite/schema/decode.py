"""Request bodies in JSON or YAML -> an object, with a strict error for each key that a mapping holds twice.

Called by the HTTP edge for bodies and patches. The last of two equal keys wins, as upstream. Duplicates cost a
second parse, so they are looked for only when the request's field validation wants them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from kubelite import errors

Pairs = list[tuple[str, Any]]
_decode = msgspec.json.Decoder().decode
_GO_FAULTS = {"Input data was truncated": "unexpected end of JSON input"}


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A key that a mapping holds twice, in words. In JSON also where it is, and which keys came before it."""

    text: str
    path: str = ""
    earlier: frozenset[str] = frozenset()


def decode_json(
    body: bytes, find_duplicates: bool = True, fault_prefix: str = "couldn't get version/kind; json parse error"
) -> tuple[Any, list[Duplicate]]:
    """The value and its duplicate keys; raises 400 for what isn't JSON."""
    try:
        value = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise errors.bad_request(f"{fault_prefix}: {_GO_FAULTS.get(str(fault), str(fault))}") from None
    if find_duplicates and _has_duplicates(body):
        return value, _duplicates(json.loads(body, object_pairs_hook=_Pairs))
    return value, []


class _Pairs(Pairs):
    """A mapping with its duplicates, told apart from a list."""


def _has_duplicates(body: bytes) -> bool:
    found = False

    def note(pairs: Pairs) -> dict[str, Any]:
        nonlocal found
        mapping = dict(pairs)
        found = found or len(mapping) != len(pairs)
        return mapping

    json.loads(body, object_pairs_hook=note)
    return found


def _duplicates(value: Any) -> list[Duplicate]:
    seen: set[str] = set()
    found: dict[str, Duplicate] = {}
    for path, twice in _keys(value, ""):
        if twice and path not in found:
            found[path] = Duplicate(f"duplicate field {_quoted(path)}", path, frozenset(seen))
        seen.add(path)
    return list(found.values())


def _keys(value: Any, path: str) -> Iterator[tuple[str, bool]]:
    """Paths of all keys in the order of the document, and whether their mapping has had them already."""
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, item in value:
            inner = f"{path}.{key}" if path else key
            yield inner, key in seen
            yield from _keys(item, inner)
            seen.add(key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _keys(item, f"{path}[{index}]")


def decode_yaml(body: bytes | str) -> tuple[Any, list[Duplicate]]:
    """As `decode_json` for one YAML document (JSON is YAML too)."""
    try:
        node = yaml.compose(body, Loader=_Loader)
        duplicates: list[Duplicate] = []
        value = _plain(node, _Loader(""), duplicates) if node is not None else None
    except (yaml.YAMLError, UnicodeDecodeError) as fault:
        raise errors.bad_request(f"error converting YAML to JSON: yaml: {_go_text(fault)}") from None
    return value, duplicates


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: what looks like a date or a time is a string, and so is `=`; `1e-05` is a number."""


_NUMBERS = {
    "tag:yaml.org,2002:int": r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)",
    "tag:yaml.org,2002:float": (
        r"[-+]?(?:(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)"
    ),
}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag.endswith((":bool", ":null", ":merge"))]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _pattern in _NUMBERS.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z"), list("-+.0123456789"))


def _plain(node: yaml.Node, loader: _Loader, duplicates: list[Duplicate]) -> Any:
    if isinstance(node, yaml.MappingNode):
        _note_duplicates(node, duplicates)
        loader.flatten_mapping(node)
        return {_key(loader.construct_object(key)): _plain(value, loader, duplicates) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(entry, loader, duplicates) for entry in node.value]
    return loader.construct_object(node)


def _note_duplicates(node: yaml.MappingNode, duplicates: list[Duplicate]) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if key.value in seen:
            line = key.start_mark.line + 1
            duplicates.append(Duplicate(f'line {line}: key "{key.value}" already set in map'))
        seen.add(key.value)


def _key(key: Any) -> str:
    """JSON's keys are strings: `80: x` and `yes: x` are "80" and "true"."""
    return str(key).lower() if isinstance(key, bool) else str(key)


def _go_text(fault: Exception) -> str:
    mark = getattr(fault, "problem_mark", None)
    return f"line {mark.line + 1}: {getattr(fault, 'problem', '')}" if mark else " ".join(str(fault).split())


def _quoted(text: str) -> str:
    return msgspec.json.encode(text).decode()
