"""PriorityLevelConfigurations (flowcontrol.apiserver.k8s.io/v1): kept and checked as upstream's
`apis/flowcontrol/validation` does; this API server never makes a request wait.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.flowcontrol_objects import EXEMPT, GROUP, MANDATORY_LEVELS
from kubelite.registry.printing import age

_Faults = Iterator[FieldError]
_TYPES = ("Exempt", "Limited")
_RESPONSES = ("Queue", "Reject")
_DEFAULT_SHARES = 30
_DEFAULT_QUEUING = {"queues": 64, "handSize": 8, "queueLengthLimit": 50}
_MOST_QUEUES = 10_000_000
_HASH_BITS = 60  # of upstream's shuffle sharding: how many hands a queue set may deal
_NONE = "<none>"


def _default(level: Obj) -> None:
    spec = level.get("spec") or {}
    for kind, shares in (("exempt", 0), ("limited", _DEFAULT_SHARES)):
        if spec.get(kind) is not None:
            spec[kind] = {"nominalConcurrencyShares": shares, "lendablePercent": 0} | spec[kind]
    response = (spec.get("limited") or {}).get("limitResponse") or {}
    if response.get("queuing") is not None:
        given = {key: value for key, value in response["queuing"].items() if value}
        spec["limited"]["limitResponse"] = {**response, "queuing": _DEFAULT_QUEUING | given}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    name, spec = meta.name(new), new.get("spec") or {}
    return [*_spec_errors(name, spec), *_fixed_errors(name, spec), *condition_errors(new)]


def _spec_errors(name: str, spec: Obj) -> _Faults:
    kind, exempt, limited = spec.get("type") or "", spec.get("exempt"), spec.get("limited")
    if (name == EXEMPT) != (kind == "Exempt"):
        yield invalid_value("spec.type", kind, "type must be 'Exempt' if and only if name is 'exempt'")
    match kind:
        case "Exempt":
            if limited is not None:
                yield forbidden_field("spec.limited", "must be nil if the type is not Limited")
            yield from _share_errors("spec.exempt", exempt or {})
        case "Limited":
            if exempt is not None:
                yield forbidden_field("spec.exempt", "must be nil if the type is Limited")
            if limited is None:
                yield required("spec.limited", "must not be empty when type is Limited")
            else:
                yield from _limited_errors("spec.limited", limited)
        case _:
            yield not_supported("spec.type", kind, _TYPES)


def _limited_errors(path: str, limited: Obj) -> _Faults:
    yield from _share_errors(path, limited)
    if (borrowed := limited.get("borrowingLimitPercent")) is not None and borrowed < 0:
        yield invalid_value(f"{path}.borrowingLimitPercent", borrowed, "if specified, must be a non-negative integer")
    yield from _response_errors(f"{path}.limitResponse", limited.get("limitResponse") or {})


def _share_errors(path: str, level: Obj) -> _Faults:
    shares, lendable = level.get("nominalConcurrencyShares", 0), level.get("lendablePercent", 0)
    if shares < 0:
        yield invalid_value(f"{path}.nominalConcurrencyShares", shares, "must be a non-negative integer")
    if not 0 <= lendable <= 100:
        yield invalid_value(f"{path}.lendablePercent", lendable, "must be between 0 and 100, inclusive")


def _response_errors(path: str, response: Obj) -> _Faults:
    queuing = response.get("queuing")
    match response.get("type"):
        case "Reject":
            if queuing is not None:
                yield forbidden_field(f"{path}.queuing", "must be nil if limited.limitResponse.type is not Limited")
        case "Queue":
            if queuing is None:
                text = "must not be empty if limited.limitResponse.type is Limited"
                yield required(f"{path}.queuing", text)
            else:
                yield from _queuing_errors(f"{path}.queuing", queuing)
        case other:
            yield not_supported(f"{path}.type", other or "", _RESPONSES)


def _queuing_errors(path: str, queuing: Obj) -> _Faults:
    queues, hand, length = (queuing[key] for key in ("queues", "handSize", "queueLengthLimit"))
    if length <= 0:
        yield invalid_value(f"{path}.queueLengthLimit", length, "must be positive")
    if queues <= 0:
        yield invalid_value(f"{path}.queues", queues, "must be positive")
    elif queues > _MOST_QUEUES:
        yield invalid_value(f"{path}.queues", queues, f"must not be greater than {_MOST_QUEUES}")
    if hand <= 0:
        yield invalid_value(f"{path}.handSize", hand, "must be positive")
    elif hand > queues:
        yield invalid_value(f"{path}.handSize", hand, f"should not be greater than queues ({queues})")
    elif entropy_bits(queues, hand) > _HASH_BITS:
        text = f"required entropy bits of deckSize {queues} and handSize {hand} should not be greater than {_HASH_BITS}"
        yield invalid_value(f"{path}.handSize", hand, text)


def entropy_bits(deck: int, hand: int) -> int:
    """What it takes to deal `hand` different cards of a deck."""
    return math.ceil(math.log2(deck) * hand)


def _fixed_errors(name: str, spec: Obj) -> _Faults:
    """The mandatory levels are as they are; of the exempt one, its shares may be changed."""
    fixed = MANDATORY_LEVELS.get(name)
    if fixed is None:
        return
    if name == EXEMPT:
        if {**spec, "exempt": None} != {**fixed, "exempt": None}:
            text = f"spec of '{name}' except the 'spec.exempt' field must equal the fixed value"
            yield invalid_value("spec", spec, text)
    elif spec != fixed:
        yield invalid_value("spec", spec, f"spec of '{name}' must equal the fixed value")


def condition_errors(obj: Obj) -> _Faults:
    """Of both kinds of the group."""
    seen: list[str] = []
    for index, condition in enumerate((obj.get("status") or {}).get("conditions") or ()):
        path, kind = f"status.conditions[{index}].type", condition.get("type") or ""
        if kind in seen:
            yield duplicate(path, kind)
        seen.append(kind)
        if not kind:
            yield required(path, "must not be empty")


def status_rules(new: Obj, old: Obj) -> list[FieldError]:
    """Of both kinds, too."""
    return list(condition_errors(new))


def _row(level: Obj, now: datetime) -> list[Any]:
    spec = level.get("spec") or {}
    limited = spec.get("limited") or {}
    queuing = (limited.get("limitResponse") or {}).get("queuing") or {}
    queues = [queuing.get(key, _NONE) for key in ("queues", "handSize", "queueLengthLimit")]
    return [
        meta.name(level),
        spec.get("type", ""),
        limited.get("nominalConcurrencyShares", _NONE),
        *queues,
        age(level, now),
    ]


PRIORITY_LEVEL_CONFIGURATION = Kind(
    group=GROUP,
    version="v1",
    kind="PriorityLevelConfiguration",
    plural="prioritylevelconfigurations",
    singular="prioritylevelconfiguration",
    namespaced=False,
    columns=(
        NAME_COLUMN,
        Column("Type", description="Whether the level is limited at all."),
        Column("NominalConcurrencyShares", description="Its part of what the server does at once."),
        Column("Queues", description="How many queues it has."),
        Column("HandSize", description="Among how many queues a flow chooses the shortest."),
        Column("QueueLengthLimit", description="How many requests wait in a queue at most."),
        AGE_COLUMN,
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": status_rules},
    status_metadata=(),
)
