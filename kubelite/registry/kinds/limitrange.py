"""LimitRanges: defaults, rules, the Table. What they do to pods and claims is in `limitrange_admission`."""

from __future__ import annotations

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, required
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.podspec_resources import resource_name

TYPES = ("Pod", "Container", "PersistentVolumeClaim")
_LISTS = ("max", "min", "default", "defaultRequest", "maxLimitRequestRatio")

# What must not exceed what: the lists, which of them is at fault, and how the message calls them.
_ORDER = (
    ("min", "max", "min", "min value {} is greater than max value {}"),
    ("min", "defaultRequest", "defaultRequest", "min value {} is greater than default request value {}"),
    ("defaultRequest", "max", "defaultRequest", "default request value {} is greater than max value {}"),
    ("defaultRequest", "default", "defaultRequest", "default request value {} is greater than default limit value {}"),
    ("min", "default", "default", "min value {} is greater than default value {}"),
    ("default", "max", "default", "default value {} is greater than max value {}"),
)


def _default(limits: Obj) -> None:
    limits["spec"] = limits.get("spec") or {}
    for item in limits["spec"].get("limits") or ():
        if item.get("type") == "Container":
            _fill(item, "default", "max")
            _fill(item, "defaultRequest", "default")
            _fill(item, "defaultRequest", "min")


def _fill(item: Obj, name: str, source: str) -> None:
    """What one list lacks it takes from another."""
    if item.get(source):
        item[name] = {**item[source], **(item.get(name) or {})}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, item in enumerate(new["spec"].get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type") or ""
        errors += _type(f"{path}.type", kind)
        if kind in seen:
            errors.append(duplicate(f"{path}.type", kind))
        seen.add(kind)
        errors += _item(path, kind, item)
    return errors


def _type(path: str, kind: str) -> list[FieldError]:
    if errors := validation.values(path, kind, validation.qualified_name(kind)):
        return errors
    if "/" not in kind and kind not in TYPES:
        return [invalid_value(path, kind, "must be a standard limit type or fully qualified")]
    return []


def _item(path: str, kind: str, item: Obj) -> list[FieldError]:
    errors: list[FieldError] = []
    for name in _LISTS:
        if kind == "Pod" and name in ("default", "defaultRequest"):
            if item.get(name):
                errors.append(forbidden_field(f"{path}.{name}", "may not be specified when `type` is 'Pod'"))
            continue
        for resource in item.get(name) or {}:
            where = f"{path}.{name}[{resource}]"
            errors += resource_name(where, resource, for_containers=kind in ("Pod", "Container"))
    bounds = (item.get("min") or {}, item.get("max") or {})
    if kind == "PersistentVolumeClaim" and not any("storage" in bound for bound in bounds):
        text = "either minimum or maximum storage value is required, but neither was provided"
        errors.append(required(f"{path}.limits", text))
    return errors + _amounts(path, item)


def _amounts(path: str, item: Obj) -> list[FieldError]:
    lists = {name: item.get(name) or {} for name in _LISTS}
    errors = []
    for low, high, at_fault, text in _ORDER:
        for resource in sorted(lists[low].keys() & lists[high].keys()):
            smaller, larger = lists[low][resource], lists[high][resource]
            if quantities.parse(smaller) > quantities.parse(larger):
                where = f"{path}.{at_fault}[{resource}]"
                errors.append(invalid_value(where, lists[at_fault][resource], text.format(smaller, larger)))
    for resource, ratio in sorted(lists["maxLimitRequestRatio"].items()):
        errors += _ratio(f"{path}.maxLimitRequestRatio[{resource}]", resource, ratio, lists)
    return errors


def _ratio(path: str, resource: str, ratio: str, lists: dict[str, Obj]) -> list[FieldError]:
    wanted = quantities.parse(ratio)
    if wanted < 1:
        return [invalid_value(path, ratio, f"ratio {ratio} is less than 1")]
    if resource not in lists["min"] or resource not in lists["max"]:
        return []
    low, high = quantities.parse(lists["min"][resource]), quantities.parse(lists["max"][resource])
    if low and wanted > high / low:
        return [invalid_value(path, ratio, f"ratio {ratio} is greater than max/min = {float(high / low):f}")]
    return []


LIMIT_RANGE = Kind(
    group="",
    version="v1",
    kind="LimitRange",
    plural="limitranges",
    singular="limitrange",
    namespaced=True,
    short_names=("limits",),
    default=_default,
    validate=_validate,
)
