"""FlowSchemas (flowcontrol.apiserver.k8s.io/v1): which requests belong to which priority level.

Rules and messages of upstream's `apis/flowcontrol/validation`; the HTTP edge tells by them what a request belongs to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.kinds.flowcontrol_objects import EXEMPT, GROUP, MANDATORY_SCHEMAS
from kubelite.registry.kinds.prioritylevelconfiguration import condition_errors, status_rules
from kubelite.registry.printing import age

_Faults = Iterator[FieldError]
_DEFAULT_PRECEDENCE, _LAST_PRECEDENCE = 1000, 10000
_METHODS = ("ByNamespace", "ByUser")
_SUBJECTS = {"Group": "group", "ServiceAccount": "serviceAccount", "User": "user"}
_VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch")
_OTHERS = "if '*' is present, must not specify other {}"


def _default(schema: Obj) -> None:
    spec = schema.get("spec") or {}
    schema["spec"] = {**spec, "matchingPrecedence": spec.get("matchingPrecedence") or _DEFAULT_PRECEDENCE}


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    name, spec = meta.name(new), new["spec"]
    errors = list(_spec_errors(name, spec))
    fixed = MANDATORY_SCHEMAS.get(name)
    if fixed is not None and spec != fixed:
        errors.append(invalid_value("spec", spec, f"spec of '{name}' must equal the fixed value"))
    return [*errors, *condition_errors(new)]


def _spec_errors(name: str, spec: Obj) -> _Faults:
    precedence, path = spec["matchingPrecedence"], "spec.matchingPrecedence"
    if precedence <= 0:
        yield invalid_value(path, precedence, "must be a positive value")
    if precedence > _LAST_PRECEDENCE:
        yield invalid_value(path, precedence, f"must not be greater than {_LAST_PRECEDENCE}")
    if precedence == 1 and name != EXEMPT:
        yield invalid_value(path, precedence, "only the schema named 'exempt' may have matchingPrecedence 1")
    method = spec.get("distinguisherMethod")
    if method is not None and method.get("type") not in _METHODS:
        yield not_supported("spec.distinguisherMethod.type", method, _METHODS)
    level, path = (spec.get("priorityLevelConfiguration") or {}).get("name"), "spec.priorityLevelConfiguration.name"
    if level:
        yield from validation.values(path, level, validation.dns_subdomain(level))
    else:
        yield required(path, "must reference a priority level")
    for index, rule in enumerate(spec.get("rules") or ()):
        yield from _policy_errors(f"spec.rules[{index}]", rule)


def _policy_errors(path: str, policy: Obj) -> _Faults:
    subjects = policy.get("subjects") or ()
    for index, subject in enumerate(subjects):
        yield from _subject_errors(f"{path}.subjects[{index}]", subject)
    if not subjects:
        yield required(f"{path}.subjects", "subjects must contain at least one value")
    resources, others = policy.get("resourceRules") or (), policy.get("nonResourceRules") or ()
    if not resources and not others:
        yield required(path, "at least one of resourceRules and nonResourceRules has to be non-empty")
    for index, rule in enumerate(resources):
        yield from _resource_rule_errors(f"{path}.resourceRules[{index}]", rule)
    for index, rule in enumerate(others):
        yield from _other_rule_errors(f"{path}.nonResourceRules[{index}]", rule)


def _subject_errors(path: str, subject: Obj) -> _Faults:
    kind = subject.get("kind") or ""
    if kind not in _SUBJECTS:
        yield not_supported(f"{path}.kind", kind, sorted(_SUBJECTS))
        return
    named = subject.get(_SUBJECTS[kind])
    if named is None:
        field = _SUBJECTS[kind]
        yield required(f"{path}.{field}", f"{field} is required when subject kind is '{kind}'")
    else:
        yield from _named_errors(f"{path}.{_SUBJECTS[kind]}", kind, named)
    for other in ("ServiceAccount", "User", "Group"):
        if other != kind and subject.get(_SUBJECTS[other]) is not None:
            field = _SUBJECTS[other]
            yield forbidden_field(f"{path}.{field}", f"{field} is forbidden when subject kind is not '{other}'")


def _named_errors(path: str, kind: str, named: Obj) -> _Faults:
    name, namespace = named.get("name") or "", named.get("namespace") or ""
    if not name:
        yield required(f"{path}.name")
    elif kind == "ServiceAccount" and name != "*":
        yield from validation.values(f"{path}.name", name, validation.dns_subdomain(name))
    if kind != "ServiceAccount":
        return
    if namespace:
        yield from validation.values(f"{path}.namespace", namespace, validation.dns_label(namespace))
    else:
        yield required(f"{path}.namespace", "must specify namespace for service account")


def _verb_errors(path: str, verbs: Sequence[str]) -> _Faults:
    if not verbs:
        yield required(path, "verbs must contain at least one value")
    elif "*" in verbs:
        if len(verbs) > 1:
            yield invalid_value(path, verbs, _OTHERS.format("verbs"))
    elif not set(verbs) <= set(_VERBS):
        yield not_supported(path, verbs, _VERBS)


def _other_rule_errors(path: str, rule: Obj) -> _Faults:
    yield from _verb_errors(f"{path}.verbs", rule.get("verbs") or ())
    urls, path = rule.get("nonResourceURLs") or (), f"{path}.nonResourceURLs"
    if not urls:
        yield required(path, "nonResourceURLs must contain at least one value")
    elif "*" in urls:
        if len(urls) > 1:
            yield invalid_value(path, urls, _OTHERS.format("non-resource URLs"))
    else:
        for index, url in enumerate(urls):
            yield from _url_errors(f"{path}[{index}]", url)


def _url_errors(path: str, url: str) -> _Faults:
    text = ""
    if not url:
        text = "must not be empty"
    elif not url.startswith("/"):
        text = "must start with slash"
    elif " " in url:
        text = "must not contain white-space"
    elif "//" in url:
        text = "must not contain double slash"
    elif url.count("*") > 1 or ("*" in url and not url.endswith("/*")):
        text = "wildcard can only do suffix matching"
    if text:
        yield invalid_value(path, url, text)


def _resource_rule_errors(path: str, rule: Obj) -> _Faults:
    yield from _verb_errors(f"{path}.verbs", rule.get("verbs") or ())
    for field, one, several in (("apiGroups", "api group", "api groups"), ("resources", "resource", "resources")):
        given = rule.get(field) or ()
        if not given:
            yield required(f"{path}.{field}", f"resource rules must supply at least one {one}")
        elif len(given) > 1 and "*" in given:
            yield invalid_value(f"{path}.{field}", given, _OTHERS.format(several))
    namespaces, path = rule.get("namespaces") or (), f"{path}.namespaces"
    if not namespaces and not rule.get("clusterScope"):
        yield required(path, "resource rules that are not cluster scoped must supply at least one namespace")
    elif "*" in namespaces:
        if len(namespaces) > 1:
            yield invalid_value(path, namespaces, _OTHERS.format("namespaces"))
    else:
        for index, name in enumerate(namespaces):
            texts = [
                f"each member of this list must be '*' or a DNS-1123 label; {text}"
                for text in validation.dns_label(name)
            ]
            yield from validation.values(f"{path}[{index}]", name, texts)


def _row(schema: Obj, now: datetime) -> list[Any]:
    spec = schema["spec"]
    dangling = meta.condition((schema.get("status") or {}).get("conditions"), "Dangling")
    return [
        meta.name(schema),
        (spec.get("priorityLevelConfiguration") or {}).get("name", ""),
        spec["matchingPrecedence"],
        (spec.get("distinguisherMethod") or {}).get("type") or "<none>",
        age(schema, now),
        dangling["status"] if dangling else "?",
    ]


FLOW_SCHEMA = Kind(
    group=GROUP,
    version="v1",
    kind="FlowSchema",
    plural="flowschemas",
    singular="flowschema",
    namespaced=False,
    columns=(
        NAME_COLUMN,
        Column("PriorityLevel", description="The level of requests that match."),
        Column("MatchingPrecedence", description="Of schemas that match, the one with the lowest is taken."),
        Column("DistinguisherMethod", description="What makes one flow of the requests of one schema."),
        AGE_COLUMN,
        Column("MissingPL", description="Whether there is no such priority level."),
    ),
    row=_row,
    subresources=frozenset({"status"}),
    default=_default,
    validate=_validate,
    subresource_rules={"status": status_rules},
    status_metadata=(),
)
