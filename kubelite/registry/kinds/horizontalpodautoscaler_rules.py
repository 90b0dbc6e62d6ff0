"""Rules of a HorizontalPodAutoscaler's spec; after upstream's `apis/autoscaling/validation`."""

from __future__ import annotations

from decimal import Decimal

from kubelite.errors import forbidden_field, invalid_value, not_supported, required
from kubelite.objects import quantity
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.podspec_rules import Errors

# The type of a metric -> the field that describes its source.
SOURCES = {
    "ContainerResource": "containerResource",
    "External": "external",
    "Object": "object",
    "Pods": "pods",
    "Resource": "resource",
}
_POSITIVE = "must be greater than 0"
_LONGEST_WINDOW, _LONGEST_PERIOD = 3600, 1800


def spec_errors(path: str, spec: Obj) -> Errors:
    errors: Errors = []
    least, most, metrics = spec.get("minReplicas"), spec.get("maxReplicas") or 0, spec.get("metrics") or []
    if least is not None and least < 1:
        errors.append(invalid_value(f"{path}.minReplicas", least, "must be greater than or equal to 1"))
    if most < 1:
        errors.append(invalid_value(f"{path}.maxReplicas", most, _POSITIVE))
    if least is not None and most < least:
        errors.append(invalid_value(f"{path}.maxReplicas", most, "must be greater than or equal to `minReplicas`"))
    errors += _reference(f"{path}.scaleTargetRef", spec.get("scaleTargetRef") or {})
    for index, metric in enumerate(metrics):
        errors += _metric(f"{path}.metrics[{index}]", metric)
    for direction in ("scaleUp", "scaleDown"):
        if (rules := (spec.get("behavior") or {}).get(direction)) is not None:
            errors += _scaling_rules(f"{path}.behavior.{direction}", rules)
    return errors


def _reference(path: str, ref: Obj) -> Errors:
    errors: Errors = []
    for name in ("kind", "name"):
        if not ref.get(name):
            errors.append(required(f"{path}.{name}"))
        else:
            errors += validation.values(f"{path}.{name}", ref[name], validation.path_segment_name(ref[name]))
    return errors


def _metric(path: str, metric: Obj) -> Errors:
    kind = metric.get("type") or ""
    errors: Errors = []
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric source type"))
    if kind not in SOURCES:
        errors.append(not_supported(f"{path}.type", kind, SOURCES))
    present = [field for field in ("object", "external", "pods", "resource", "containerResource") if metric.get(field)]
    if present:
        errors += _source(f"{path}.{present[0]}", present[0], metric[present[0]])
    expected = SOURCES.get(kind, "")
    if expected not in present:
        errors.append(required(f"{path}.{expected}", "must populate information for the given metric source"))
    if len(present) != 1:
        others = [field for field in present if field != expected]
        errors += [forbidden_field(f"{path}.{name}", "must populate the given metric source only") for name in others]
    return errors


def _source(path: str, field: str, source: Obj) -> Errors:
    target = source.get("target") or {}
    errors = _target(f"{path}.target", target)
    if field in ("resource", "containerResource"):
        if not source.get("name"):
            errors.append(required(f"{path}.name", "must specify a resource name"))
        if field == "containerResource" and not source.get("container"):
            errors.append(required(f"{path}.container", "must specify a container"))
        return errors + _resource_target(f"{path}.target", target)
    if not (source.get("metric") or {}).get("name"):
        errors.append(required(f"{path}.metric.name", "must specify a metric name"))
    if field == "object":
        errors += _reference(f"{path}.describedObject", source.get("describedObject") or {})
    if field == "pods" and _value(target, "averageValue") is None:
        errors.append(required(f"{path}.target.averageValue", "must specify a positive target averageValue"))
    elif field != "pods" and _value(target, "value") is None and _value(target, "averageValue") is None:
        text = "must set either a target value for metric or a per-pod target"
        errors.append(required(f"{path}.target.averageValue", text))
    return errors


def _resource_target(path: str, target: Obj) -> Errors:
    utilization, average = target.get("averageUtilization"), target.get("averageValue")
    if utilization is None and average is None:
        text = "must set either a target raw value or a target utilization"
        return [required(f"{path}.averageUtilization", text)]
    if utilization is not None and average is not None:
        text = "may not set both a target raw value and a target utilization"
        return [forbidden_field(f"{path}.averageValue", text)]
    return []


def _value(target: Obj, name: str) -> Decimal | None:
    return quantity.parse(target[name]) if target.get(name) is not None else None


def _target(path: str, target: Obj) -> Errors:
    errors: Errors = []
    kind, utilization = target.get("type") or "", target.get("averageUtilization")
    if not kind:
        errors.append(required(f"{path}.type", "must specify a metric target type"))
    if kind not in ("Utilization", "Value", "AverageValue"):
        errors.append(invalid_value(f"{path}.type", kind, "must be either Utilization, Value, or AverageValue"))
    for name in ("value", "averageValue"):
        if (amount := _value(target, name)) is not None and amount <= 0:
            errors.append(invalid_value(f"{path}.{name}", target[name], "must be positive"))
    if utilization is not None and utilization < 1:
        errors.append(invalid_value(f"{path}.averageUtilization", utilization, _POSITIVE))
    return errors


def _scaling_rules(path: str, rules: Obj) -> Errors:
    errors: Errors = []
    window, chosen, policies = rules.get("stabilizationWindowSeconds"), rules.get("selectPolicy"), rules.get("policies")
    at = f"{path}.stabilizationWindowSeconds"
    if window is not None and window < 0:
        errors.append(invalid_value(at, window, "must be greater than or equal to zero"))
    if window is not None and window > _LONGEST_WINDOW:
        errors.append(invalid_value(at, window, f"must be less than or equal to {_LONGEST_WINDOW}"))
    if chosen is not None and chosen not in ("Disabled", "Max", "Min"):
        errors.append(not_supported(f"{path}.selectPolicy", chosen, ("Disabled", "Max", "Min")))
    if not policies:
        errors.append(required(f"{path}.policies", "must specify at least one Policy"))
    for index, policy in enumerate(policies or ()):
        errors += _policy(f"{path}.policies[{index}]", policy)
    return errors


def _policy(path: str, policy: Obj) -> Errors:
    errors: Errors = []
    kind, period = policy.get("type") or "", policy.get("periodSeconds") or 0
    if kind not in ("Percent", "Pods"):
        errors.append(not_supported(f"{path}.type", kind, ("Percent", "Pods")))
    for name in ("value", "periodSeconds"):
        if (policy.get(name) or 0) <= 0:
            errors.append(invalid_value(f"{path}.{name}", policy.get(name) or 0, "must be greater than zero"))
    if period > _LONGEST_PERIOD:
        errors.append(
            invalid_value(f"{path}.periodSeconds", period, f"must be less than or equal to {_LONGEST_PERIOD}")
        )
    return errors
