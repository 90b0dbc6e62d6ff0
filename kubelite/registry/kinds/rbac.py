"""Roles and bindings as stored data: many manifests bring them; kubelite itself authorises everything."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from kubelite.errors import FieldError, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind
from kubelite.registry.printing import age

_GROUP = "rbac.authorization.k8s.io"


def _default_binding(binding: Obj) -> None:
    role = binding.get("roleRef") or {}
    if role and not role.get("apiGroup"):
        role["apiGroup"] = _GROUP
    for subject in binding.get("subjects") or ():
        if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
            subject["apiGroup"] = _GROUP


def _validate_role(new: Obj, old: Obj | None) -> list[FieldError]:
    errors = []
    for index, rule in enumerate(new.get("rules") or ()):
        path = f"rules[{index}]"
        if not rule.get("verbs"):
            errors.append(required(f"{path}.verbs", "verbs must contain at least one value"))
        errors += _rule_errors(path, rule, namespaced=new["kind"] == "Role")
    return errors


def _rule_errors(path: str, rule: Obj, namespaced: bool) -> list[FieldError]:
    if urls := rule.get("nonResourceURLs"):
        if namespaced:
            text = "namespaced rules cannot apply to non-resource URLs"
            return [invalid_value(f"{path}.nonResourceURLs", urls, text)]
        if rule.get("apiGroups") or rule.get("resources") or rule.get("resourceNames"):
            text = "rules cannot apply to both regular resources and non-resource URLs"
            return [invalid_value(f"{path}.nonResourceURLs", urls, text)]
        return []
    errors = []
    if not rule.get("apiGroups"):
        errors.append(required(f"{path}.apiGroups", "resource rules must supply at least one api group"))
    if not rule.get("resources"):
        errors.append(required(f"{path}.resources", "resource rules must supply at least one resource"))
    return errors


def _validate_binding(new: Obj, old: Obj | None) -> list[FieldError]:
    role = new.get("roleRef") or {}
    namespaced = new["kind"] == "RoleBinding"
    errors = []
    if role.get("apiGroup") != _GROUP:
        errors.append(not_supported("roleRef.apiGroup", role.get("apiGroup", ""), (_GROUP,)))
    kinds = ("Role", "ClusterRole") if namespaced else ("ClusterRole",)
    if role.get("kind") not in kinds:
        errors.append(not_supported("roleRef.kind", role.get("kind", ""), kinds))
    name = role.get("name") or ""
    if name:
        errors += validation.values("roleRef.name", name, validation.path_segment_name(name))
    else:
        errors.append(required("roleRef.name"))
    for index, subject in enumerate(new.get("subjects") or ()):
        errors += _subject_errors(f"subjects[{index}]", subject, namespaced)
    if old is not None and role != old["roleRef"]:
        errors.append(invalid_value("roleRef", _go_role_ref(role), "cannot change roleRef"))
    return errors


def _go_role_ref(role: Obj) -> msgspec.Raw:
    """Upstream shows this struct in Go's own notation."""
    fields = ", ".join(f'{key}:"{role.get(field, "")}"' for key, field in _ROLE_REF_FIELDS)
    return msgspec.Raw(f"rbac.RoleRef{{{fields}}}".encode())


_ROLE_REF_FIELDS = (("APIGroup", "apiGroup"), ("Kind", "kind"), ("Name", "name"))


def _subject_errors(path: str, subject: Obj, namespaced: bool) -> list[FieldError]:
    errors = [] if subject.get("name") else [required(f"{path}.name")]
    kind, group, name = subject.get("kind", ""), subject.get("apiGroup") or "", subject.get("name") or ""
    match kind:
        case "ServiceAccount":
            if name:
                errors += validation.values(f"{path}.name", name, validation.dns_subdomain(name))
            if group:
                errors.append(not_supported(f"{path}.apiGroup", group, ("",)))
            if not namespaced and not subject.get("namespace"):
                errors.append(required(f"{path}.namespace"))
        case "User" | "Group":
            if group != _GROUP:
                errors.append(not_supported(f"{path}.apiGroup", group, (_GROUP,)))
        case _:
            errors.append(not_supported(f"{path}.kind", kind, ("ServiceAccount", "User", "Group")))
    return errors


def _binding_row(binding: Obj, now: datetime) -> list[Any]:
    role = binding["roleRef"]
    return [
        meta.name(binding),
        f"{role['kind']}/{role['name']}",
        age(binding, now),
        *(", ".join(_subjects(binding, kind)) for kind in ("User", "Group", "ServiceAccount")),
    ]


def _subjects(binding: Obj, kind: str) -> list[str]:
    named = [subject for subject in binding.get("subjects") or () if subject["kind"] == kind]
    if kind == "ServiceAccount":
        return [f"{subject.get('namespace', '')}/{subject['name']}" for subject in named]
    return [str(subject["name"]) for subject in named]


_BINDING_COLUMNS = (
    NAME_COLUMN,
    Column("Role", description="The role that it grants."),
    AGE_COLUMN,
    Column("Users", description="Users who get the role.", priority=1),
    Column("Groups", description="Groups that get the role.", priority=1),
    Column("ServiceAccounts", description="Service accounts that get the role.", priority=1),
)


def _role_kind(kind: str, *, namespaced: bool) -> Kind:
    return Kind(
        group=_GROUP,
        version="v1",
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=namespaced,
        validate=_validate_role,
        name_rule="path",
        create_on_update=True,
    )


def _binding_kind(kind: str, *, namespaced: bool) -> Kind:
    return Kind(
        group=_GROUP,
        version="v1",
        kind=kind,
        plural=f"{kind.lower()}s",
        singular=kind.lower(),
        namespaced=namespaced,
        columns=_BINDING_COLUMNS,
        row=_binding_row,
        default=_default_binding,
        validate=_validate_binding,
        name_rule="path",
        create_on_update=True,
    )


ROLE = _role_kind("Role", namespaced=True)
ROLE_BINDING = _binding_kind("RoleBinding", namespaced=True)
CLUSTER_ROLE = _role_kind("ClusterRole", namespaced=False)
CLUSTER_ROLE_BINDING = _binding_kind("ClusterRoleBinding", namespaced=False)
