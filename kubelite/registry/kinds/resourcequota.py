"""ResourceQuotas: rules and the Table. What they refuse is in `resourcequota_admission`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from kubelite.errors import FieldError, invalid_value, required
from kubelite.objects import meta
from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.go_notation import go_strings
from kubelite.registry.kinds.podspec_resources import resource_name
from kubelite.registry.printing import age

_COUNTED = {
    *("pods", "resourcequotas", "services", "replicationcontrollers", "secrets", "configmaps"),
    *("persistentvolumeclaims", "services.nodeports", "services.loadbalancers"),
}
_COMPUTE = {
    *("cpu", "memory"),
    *(f"{bound}.{name}" for bound in ("requests", "limits") for name in ("cpu", "memory")),
}
_STANDARD = {
    *_COUNTED,
    *_COMPUTE,
    *("ephemeral-storage", "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.storage"),
}
_SCOPES = {
    "Terminating": {"pods", *_COMPUTE},
    "NotTerminating": {"pods", *_COMPUTE},
    "NotBestEffort": {"pods", *_COMPUTE},
    "PriorityClass": {"pods", *_COMPUTE},
    "BestEffort": {"pods"},
    "CrossNamespacePodAffinity": {"pods", *_COMPUTE},
}
_OPPOSITES = ({"BestEffort", "NotBestEffort"}, {"Terminating", "NotTerminating"})
_EXISTS_ONLY = ("Terminating", "NotTerminating", "BestEffort", "NotBestEffort", "CrossNamespacePodAffinity")


def _default(quota: Obj) -> None:
    quota["spec"] = quota.get("spec") or {}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors: list[FieldError] = []
    for name, value in (spec.get("hard") or {}).items():
        errors += _hard(f"spec.hard[{name}]", name, value)
    errors += _scopes(spec)
    errors += _selector("spec.scopeSelector.matchExpressions", spec)
    if old is not None and set(spec.get("scopes") or ()) != set(old["spec"].get("scopes") or ()):
        errors.append(invalid_value("spec.scopes", _go_scopes(spec.get("scopes")), validation.IMMUTABLE))
    return errors


def _hard(path: str, name: str, value: str) -> list[FieldError]:
    errors = resource_name(path, name, for_containers=False)
    if "/" not in name and name not in _STANDARD and not name.startswith(("hugepages-", "requests.hugepages-")):
        errors.append(invalid_value(path, name, "must be a standard resource for quota"))
    wrong = validation.quantity(path, value)
    if not wrong and name in _COUNTED and quantities.parse(value) % 1:
        wrong = [invalid_value(path, value, "must be an integer")]
    return errors + wrong


def _scopes(spec: Obj) -> list[FieldError]:
    scopes = spec.get("scopes") or []
    shown = _go_scopes(scopes)
    errors = []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(invalid_value("spec.scopes", shown, "unsupported scope"))
        errors += [
            invalid_value("spec.scopes", shown, "unsupported scope applied to resource")
            for _ in _foreign(scope, spec.get("hard") or {})
        ]
    return errors + _conflicts("spec.scopes", scopes, shown)


def _go_scopes(scopes: Sequence[str] | None) -> msgspec.Raw:
    """As Go prints them."""
    return go_strings(scopes, "core.ResourceQuotaScope")


def _foreign(scope: str, hard: Obj) -> list[str]:
    """Standard resources that the scope says nothing about."""
    return [name for name in sorted(hard) if name in _STANDARD and name not in _SCOPES.get(scope, _STANDARD)]


def _conflicts(path: str, scopes: Iterable[str], shown: Any) -> list[FieldError]:
    return [invalid_value(path, shown, "conflicting scopes") for pair in _OPPOSITES if pair <= set(scopes)]


def _selector(path: str, spec: Obj) -> list[FieldError]:
    selector = spec.get("scopeSelector") or {}
    terms = selector.get("matchExpressions") or []
    errors: list[FieldError] = []
    for term in terms:
        scope, operator, values = term.get("scopeName") or "", term.get("operator") or "", term.get("values") or []
        if scope not in _SCOPES:
            errors.append(invalid_value(f"{path}.scopeName", scope, "unsupported scope"))
        errors += [
            invalid_value(path, selector, "unsupported scope applied to resource")
            for _ in _foreign(scope, spec.get("hard") or {})
        ]
        if scope in _EXISTS_ONLY and operator != "Exists":
            listed = "ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort"
            text = f"must be 'Exist' when scope is any of {listed}, ResourceQuotaScopeNotBestEffort or "
            text += "ResourceQuotaScopeCrossNamespacePodAffinity"
            errors.append(invalid_value(f"{path}.operator", operator, text))
        errors += _operator(path, operator, values)
    return errors + _conflicts(
        "spec.scopes", [term.get("scopeName") or "" for term in terms], _go_scopes(spec.get("scopes"))
    )


def _operator(path: str, operator: str, values: list[str]) -> list[FieldError]:
    if operator in ("In", "NotIn"):
        text = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
        return [] if values else [required(f"{path}.values", text)]
    if operator in ("Exists", "DoesNotExist"):
        text = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector"
        return [invalid_value(f"{path}.values", values, text)] if values else []
    return [invalid_value(f"{path}.operator", operator, "not a valid selector operator")]


def _row(quota: Obj, now: datetime) -> list[Any]:
    status = quota.get("status") or {}
    requests: list[str] = []
    limits: list[str] = []
    for name, hard in sorted((status.get("hard") or {}).items()):
        shown = f"{name}: {(status.get('used') or {}).get(name, '0')}/{hard}"
        (limits if name.startswith("limits.") else requests).append(shown)
    return [meta.name(quota), age(quota, now), ", ".join(requests), ", ".join(limits)]


RESOURCE_QUOTA = Kind(
    group="",
    version="v1",
    kind="ResourceQuota",
    plural="resourcequotas",
    singular="resourcequota",
    namespaced=True,
    short_names=("quota",),
    columns=(
        NAME_COLUMN,
        AGE_COLUMN,
        Column("Request", description="What is used of what may be counted or asked for."),
        Column("Limit", description="What is used of what limits may add up to."),
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
)
