"""From CustomResourceDefinitions to kinds that are served like any other.

Every version that is served is a kind of its own; all of them read and write the same objects, which differ between
versions in nothing but their apiVersion, unless a webhook converts them. Used by the registry.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError
from kubelite.objects import jsonpath, meta
from kubelite.objects.meta import Obj
from kubelite.registry.conversion import Conversions, Converter
from kubelite.registry.kind import NAME_COLUMN, STANDARD_VERBS, Column, Kind, ScalePaths
from kubelite.registry.kinds.customresourcedefinition import condition
from kubelite.registry.printing import translate_timestamp
from kubelite.schema.structural import PRESERVE, Structural

_VERSION = re.compile(r"v(\d+)(?:(alpha|beta)(\d+))?")
_STAGES = {None: 2, "beta": 1, "alpha": 0}
_UNTOLD = ("patch", "update")  # what can still take the finalizers off once the definition is to go
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def kinds_of(definitions: Iterable[Obj], done: Conversions) -> list[Kind]:
    """The kinds of the definitions whose names have been accepted, the best version of each first."""
    found = []
    for definition in definitions:
        if condition(definition, "Established"):
            found += [_kind(definition, one, done) for one in definition["spec"]["versions"] if one.get("served")]
    return sorted(found, key=lambda kind: _priority(kind.version), reverse=True)


def _priority(version: str) -> tuple[int, int, int]:
    """v2 before v1 before v1beta2 before v1alpha1 before what isn't called so."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return -1, 0, 0
    return _STAGES[found[2]], int(found[1]), int(found[3] or 0)


def _kind(definition: Obj, version: Obj, done: Conversions) -> Kind:
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or {PRESERVE: True}
    structural, api_version = Structural(schema), f"{spec['group']}/{version['name']}"
    subresources = version.get("subresources") or {}
    columns = version.get("additionalPrinterColumns") or [_AGE]
    terminating, converter = condition(definition, "Terminating"), _converter(spec, api_version, done)
    with_status = subresources.get("status") is not None
    return Kind(
        group=spec["group"],
        version=version["name"],
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular") or names["kind"].lower(),
        namespaced=spec["scope"] == "Namespaced",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        list_kind=names.get("listKind") or f"{names['kind']}List",
        subresources=frozenset(name for name in ("status", "scale") if subresources.get(name) is not None),
        verbs=tuple(verb for verb in STANDARD_VERBS if not (terminating and verb in ("create", *_UNTOLD))),
        untold_verbs=_UNTOLD if terminating else (),
        columns=(NAME_COLUMN, *map(_column, columns)),
        row=_row_of(columns),
        default=structural.default,
        prepare=_prepare if with_status else _no_preparation,
        validate=_validator(structural),
        subresource_rules={"status": _validator(structural)},
        status_metadata=(),
        fields=_fields(version),
        counts_generations=True,
        encode=_encoder(structural, api_version, converter),
        require=converter.require if converter else None,
        deprecation=_deprecation(version, api_version, names["kind"]),
        structural=structural,
        scale=_scale(subresources.get("scale")),
    )


def _prepare(new: Obj, old: Obj | None) -> None:
    """Nobody but the subresource writes the status: without one there is none."""
    if not new.get("status"):
        new.pop("status", None)


def _no_preparation(new: Obj, old: Obj | None) -> None:
    """The status is a field like any other."""


def finalizer_warnings(new: Obj, old: Obj | None) -> list[str]:
    """Finalizers that are new and could be anybody's."""
    before = set(old["metadata"].get("finalizers") or ()) if old else set()
    added = sorted(set(new["metadata"].get("finalizers") or ()) - before)
    text = "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other"
    return [f'metadata.finalizers: "{name}": {text} finalizer writers' for name in added if "/" not in name]


def _validator(structural: Structural) -> Callable[[Obj, Obj | None], list[FieldError]]:
    return structural.faults


def _converter(spec: Obj, api_version: str, done: Conversions) -> Converter | None:
    conversion = spec["conversion"]
    return Converter(conversion["webhook"], api_version, done) if conversion["strategy"] == "Webhook" else None


def _encoder(structural: Structural, api_version: str, converter: Converter | None) -> Callable[[Obj], Obj]:
    def encode(obj: Obj) -> Obj:
        obj = converter.converted(obj) if converter else obj
        defaulted = structural.defaulted(obj)
        return defaulted if obj.get("apiVersion") == api_version else {**defaulted, "apiVersion": api_version}

    return encode


def _fields(version: Obj) -> dict[str, Callable[[Obj], str]]:
    paths = [str(one["jsonPath"]) for one in version.get("selectableFields") or ()]
    return {path.removeprefix("."): _reader(path) for path in paths}


def _reader(path: str) -> Callable[[Obj], str]:
    def read(obj: Obj) -> str:
        found = jsonpath.find(obj, path)
        return jsonpath.text(found[0]) if found else ""

    return read


def _scale(declared: Obj | None) -> ScalePaths | None:
    if declared is None:
        return None
    paths = (declared["specReplicasPath"], declared["statusReplicasPath"], declared.get("labelSelectorPath") or "")
    replicas, observed, selector = (tuple(jsonpath.names(path) or ()) for path in paths)
    return ScalePaths(replicas, observed, selector)


def _deprecation(version: Obj, api_version: str, kind: str) -> str:
    if not version.get("deprecated"):
        return ""
    return version.get("deprecationWarning") or f"{api_version} {kind} is deprecated"


def _column(declared: Obj) -> Column:
    return Column(
        declared["name"],
        declared["type"],
        declared.get("format") or "",
        declared.get("description")
        or f"Custom resource definition column (in JSONPath format): {declared['jsonPath']}",
        declared.get("priority") or 0,
    )


def _row_of(columns: Iterable[Obj]) -> Callable[[Obj, datetime], list[Any]]:
    wanted = [(column["type"], column["jsonPath"]) for column in columns]

    def row(obj: Obj, now: datetime) -> list[Any]:
        return [meta.name(obj), *(_cell(of, jsonpath.find(obj, path), now) for of, path in wanted)]

    return row


def _cell(of: str, found: list[Any], now: datetime) -> Any:
    """None, which clients show as <none>, for what isn't there or isn't of its column's type."""
    if not found:
        return None
    value = found[0]
    match of:
        case "string":
            return jsonpath.text(value)
        case "boolean":
            return value if isinstance(value, bool) else None
        case "integer" if isinstance(value, int | float) and not isinstance(value, bool):
            return int(value)
        case "number" if isinstance(value, int | float) and not isinstance(value, bool):
            return value
        case "date" if isinstance(value, str):
            try:
                return translate_timestamp(value, now)
            except (ValueError, TypeError):
                return "<invalid>"
        case _:
            return None
