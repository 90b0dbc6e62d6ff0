"""Rules about where a pod may run: tolerations, affinity, spreading, gates; after upstream's functions of the same names."""

from __future__ import annotations

from collections.abc import Sequence

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, required
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kinds.podspec_rules import Errors, within

_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_WEIGHT = "must be in the range 1-100"
_BAD_OPERATOR = "not a valid selector operator"
_POSITIVE = "must be greater than zero"


def tolerations(path: str, given: Sequence[Obj]) -> Errors:
    errors: Errors = []
    for index, toleration in enumerate(given):
        errors += _toleration(f"{path}[{index}]", toleration)
    return errors


def _toleration(path: str, toleration: Obj) -> Errors:
    key, value = toleration.get("key") or "", toleration.get("value") or ""
    operator, effect = toleration.get("operator") or "", toleration.get("effect") or ""
    errors = validation.values(f"{path}.key", key, validation.qualified_name(key)) if key else []
    if not key and operator != "Exists":
        text = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.append(invalid_value(f"{path}.operator", operator, text))
    if toleration.get("tolerationSeconds") is not None and effect != "NoExecute":
        text = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.append(invalid_value(f"{path}.effect", effect, text))
    if operator in ("", "Equal"):
        if messages := validation.label_value(value):
            errors.append(invalid_value(f"{path}.operator", value, ";".join(messages)))
    elif operator == "Exists":
        if value:
            text = "value must be empty when `operator` is 'Exists'"
            errors.append(invalid_value(f"{path}.operator", toleration, text))
    else:
        errors += within(f"{path}.operator", operator, ("Equal", "Exists"))
    return errors + within(f"{path}.effect", effect or None, _EFFECTS)


def added_tolerations(path: str, new: Sequence[Obj], old: Sequence[Obj]) -> Errors:
    """An update may add tolerations and change how long they last."""
    kept = [_without_seconds(toleration) for toleration in new]
    if any(_without_seconds(toleration) not in kept for toleration in old):
        return [forbidden_field(path, "existing toleration can not be modified except its tolerationSeconds")]
    return tolerations(path, new)


def _without_seconds(toleration: Obj) -> Obj:
    return {key: value for key, value in toleration.items() if key != "tolerationSeconds"}


def affinity(path: str, given: Obj) -> Errors:
    node = given.get("nodeAffinity") or {}
    errors: Errors = []
    if (selector := node.get(_REQUIRED)) is not None:
        errors += node_selector(f"{path}.nodeAffinity.{_REQUIRED}.nodeSelectorTerms", selector)
    for index, term in enumerate(node.get(_PREFERRED) or ()):
        at = f"{path}.nodeAffinity.{_PREFERRED}[{index}]"
        errors += _weight(at, term) + _node_term(f"{at}.preference", term.get("preference") or {})
    for kind in ("podAffinity", "podAntiAffinity"):
        pods = given.get(kind) or {}
        for index, term in enumerate(pods.get(_REQUIRED) or ()):
            errors += _pod_term(f"{path}.{kind}.{_REQUIRED}[{index}]", term)
        for index, term in enumerate(pods.get(_PREFERRED) or ()):
            at = f"{path}.{kind}.{_PREFERRED}[{index}]"
            errors += _weight(at, term) + _pod_term(f"{at}.podAffinityTerm", term.get("podAffinityTerm") or {})
    return errors


def _weight(path: str, term: Obj) -> Errors:
    weight = term.get("weight", 0)
    return [] if 1 <= weight <= 100 else [invalid_value(f"{path}.weight", weight, _WEIGHT)]


def node_selector(path: str, selector: Obj) -> Errors:
    """The terms of a NodeSelector, also of a volume's."""
    terms = selector.get("nodeSelectorTerms") or ()
    if not terms:
        return [required(path, "must have at least one node selector term")]
    return [error for index, term in enumerate(terms) for error in _node_term(f"{path}[{index}]", term)]


def _node_term(path: str, term: Obj) -> Errors:
    errors: Errors = []
    for index, requirement in enumerate(term.get("matchExpressions") or ()):
        errors += _node_expression(f"{path}.matchExpressions[{index}]", requirement)
    for index, requirement in enumerate(term.get("matchFields") or ()):
        errors += _node_field(f"{path}.matchFields[{index}]", requirement)
    return errors


def _node_expression(path: str, requirement: Obj) -> Errors:
    key, operator = requirement.get("key") or "", requirement.get("operator") or ""
    given = requirement.get("values") or []
    errors: Errors = []
    if operator in ("In", "NotIn"):
        if not given:
            errors.append(required(f"{path}.values", "must be specified when `operator` is 'In' or 'NotIn'"))
    elif operator in ("Exists", "DoesNotExist"):
        if given:
            text = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.append(forbidden_field(f"{path}.values", text))
    elif operator in ("Gt", "Lt"):
        if len(given) != 1:
            text = "must be specified single value when `operator` is 'Lt' or 'Gt'"
            errors.append(required(f"{path}.values", text))
    else:
        errors.append(invalid_value(f"{path}.operator", operator, _BAD_OPERATOR))
    return errors + validation.values(f"{path}.key", key, validation.qualified_name(key))


def _node_field(path: str, requirement: Obj) -> Errors:
    given = requirement.get("values") or []
    errors: Errors = []
    if requirement.get("operator") not in ("In", "NotIn"):
        errors.append(invalid_value(f"{path}.operator", requirement.get("operator", ""), _BAD_OPERATOR))
    elif len(given) != 1:
        text = "must be only one value when `operator` is 'In' or 'NotIn' for node field selector"
        errors.append(required(f"{path}.values", text))
    if requirement.get("key") != "metadata.name":
        text = "not a valid field selector key"
        return [*errors, invalid_value(f"{path}.key", requirement.get("key", ""), text)]
    for index, name in enumerate(given):
        errors += validation.values(f"{path}.values[{index}]", name, validation.dns_subdomain(name))
    return errors


def _pod_term(path: str, term: Obj) -> Errors:
    errors = validation.label_selector(f"{path}.labelSelector", term.get("labelSelector"))
    errors += validation.label_selector(f"{path}.namespaceSelector", term.get("namespaceSelector"))
    for name in term.get("namespaces") or ():
        errors += validation.values(f"{path}.namespace", name, validation.dns_label(name))
    errors += _label_keys(path, term)
    key = term.get("topologyKey") or ""
    if not key:
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    return errors + validation.values(f"{path}.topologyKey", key, validation.qualified_name(key))


def _label_keys(path: str, term: Obj) -> Errors:
    errors: Errors = []
    for name in ("matchLabelKeys", "mismatchLabelKeys"):
        keys = term.get(name) or ()
        if keys and term.get("labelSelector") is None:
            errors.append(forbidden_field(f"{path}.{name}", "must not be specified when labelSelector is not set"))
            continue
        for index, key in enumerate(keys):
            errors += validation.values(f"{path}.{name}[{index}]", key, validation.qualified_name(key))
    for index, key in enumerate(term.get("matchLabelKeys") or ()):
        if key in (term.get("mismatchLabelKeys") or ()):
            text = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.append(invalid_value(f"{path}.matchLabelKeys[{index}]", key, text))
    return errors


def spread_constraints(path: str, given: Sequence[Obj]) -> Errors:
    """topologySpreadConstraints."""
    errors: Errors = []
    for index, constraint in enumerate(given):
        at = f"{path}[{index}]"
        errors += _spread_constraint(at, constraint)
        pair = (constraint.get("topologyKey"), constraint.get("whenUnsatisfiable"))
        if pair in [(other.get("topologyKey"), other.get("whenUnsatisfiable")) for other in given[index + 1 :]]:
            text = "{" + ", ".join(str(part) for part in pair) + "}"
            errors.append(duplicate(f"{at}.{{topologyKey, whenUnsatisfiable}}", text))
    return errors


def _spread_constraint(path: str, constraint: Obj) -> Errors:
    errors: Errors = []
    skew, action = constraint.get("maxSkew", 0), constraint.get("whenUnsatisfiable") or ""
    if skew <= 0:
        errors.append(invalid_value(f"{path}.maxSkew", skew, _POSITIVE))
    if not constraint.get("topologyKey"):
        errors.append(required(f"{path}.topologyKey", "can not be empty"))
    errors += within(f"{path}.whenUnsatisfiable", action, ("DoNotSchedule", "ScheduleAnyway"))
    domains = constraint.get("minDomains")
    if domains is not None and domains <= 0:
        errors.append(invalid_value(f"{path}.minDomains", domains, _POSITIVE))
    if domains is not None and action != "DoNotSchedule":
        text = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
        errors.append(invalid_value(f"{path}.minDomains", domains, text))
    for name in ("nodeAffinityPolicy", "nodeTaintsPolicy"):
        errors += within(f"{path}.{name}", constraint.get(name), ("Honor", "Ignore"))
    errors += _spread_label_keys(f"{path}.matchLabelKeys", constraint)
    return errors + validation.label_selector(f"{path}.labelSelector", constraint.get("labelSelector"))


def _spread_label_keys(path: str, constraint: Obj) -> Errors:
    keys, selector = constraint.get("matchLabelKeys") or (), constraint.get("labelSelector")
    if not keys:
        return []
    errors: list[FieldError] = []
    if selector is None:
        errors.append(forbidden_field(path, "must not be specified when labelSelector is not set"))
    expressions = (selector or {}).get("matchExpressions") or ()
    selected = {*((selector or {}).get("matchLabels") or ()), *(term.get("key") for term in expressions)}
    for index, key in enumerate(keys):
        errors += validation.values(f"{path}[{index}]", key, validation.qualified_name(key))
        if key in selected:
            text = "exists in both matchLabelKeys and labelSelector"
            errors.append(invalid_value(f"{path}[{index}]", key, text))
    return errors


def scheduling_gates(path: str, given: Sequence[Obj]) -> Errors:
    errors: Errors = []
    seen: set[str] = set()
    for index, gate in enumerate(given):
        name = gate.get("name") or ""
        errors += validation.values(f"{path}[{index}]", name, validation.qualified_name(name))
        if name in seen:
            errors.append(duplicate(f"{path}[{index}]", name))
        seen.add(name)
    return errors


def removed_gates(path: str, new: Sequence[Obj], old: Sequence[Obj]) -> Errors:
    """An update may only take scheduling gates away."""
    before = {gate.get("name") for gate in old}
    return [
        forbidden_field(
            f"{path}[{index}].name", f"only deletion is allowed, but found new scheduling gate '{gate['name']}'"
        )
        for index, gate in enumerate(new)
        if gate.get("name") not in before
    ]
