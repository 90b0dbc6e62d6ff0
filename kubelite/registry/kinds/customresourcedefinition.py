"""CustomResourceDefinitions: kinds that are declared at run time.

Strategy and validation after apiextensions-apiserver's `registry/customresourcedefinition` and
`apis/apiextensions/validation`; `kubelite.registry.custom` makes kinds from them, the rules for their schemas are in
`customresource_schema`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from kubelite.errors import FieldError, duplicate, forbidden_field, invalid_value, not_supported, required
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import Kind
from kubelite.registry.kinds import customresource_schema, webhookconfiguration

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
_SCOPES = ("Cluster", "Namespaced")
_Faults = Iterator[FieldError]


def condition(definition: Obj, kind: str) -> bool:
    """Whether the condition is true (conditions may lack everything: anybody may write them)."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(one.get("type") == kind and one.get("status") == "True" for one in conditions)


def _default(definition: Obj) -> None:
    spec = definition["spec"] = definition.get("spec") or {}
    names = spec["names"] = dict(spec.get("names") or {})
    if kind := names.get("kind"):
        names["singular"] = names.get("singular") or kind.lower()
        names["listKind"] = names.get("listKind") or f"{kind}List"
    spec["conversion"] = spec.get("conversion") or {"strategy": "None"}
    webhookconfiguration.default_client((spec["conversion"].get("webhook") or {}).get("clientConfig") or {})


def _initial_status(definition: Obj) -> Obj:
    return {"conditions": [], "acceptedNames": {"plural": "", "kind": ""}, "storedVersions": []}


def _prepare(new: Obj, old: Obj | None) -> None:
    """The version that objects are stored in from now on is remembered."""
    status = new["status"] = dict(new.get("status") or _initial_status(new))
    stored = status.get("storedVersions") or []
    now = [one["name"] for one in new["spec"].get("versions") or () if one.get("storage") and one.get("name")]
    status["storedVersions"] = [*stored, *(name for name in now if name not in stored)]


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec = new["spec"]
    errors = [*_names(new, spec), *_versions(spec)]
    if spec.get("preserveUnknownFields"):
        text = "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead"
        errors.append(invalid_value("spec.preserveUnknownFields", True, text))
    if old is not None and condition(old, "Established"):
        before = old["spec"]
        errors += validation.unchanged("spec.scope", spec.get("scope"), before.get("scope"))
        errors += validation.unchanged("spec.names.kind", spec["names"].get("kind"), before["names"].get("kind"))
    errors += customresource_schema.faults(spec)
    known = {version.get("name") for version in spec.get("versions") or ()}
    for index, name in enumerate((new.get("status") or {}).get("storedVersions") or ()):
        if name not in known:
            errors.append(invalid_value(f"status.storedVersions[{index}]", name, "must appear in spec.versions"))
    return errors


def _names(new: Obj, spec: Obj) -> _Faults:
    group, names, scope = spec.get("group") or "", spec["names"], spec.get("scope") or ""
    wanted = f"{names.get('plural', '')}.{group}"
    if meta.name(new) != wanted:
        yield invalid_value("metadata.name", meta.name(new), 'must be spec.names.plural+"."+spec.group')
    if not group:
        yield required("spec.group")
    elif messages := validation.dns_subdomain(group):
        yield from validation.values("spec.group", group, messages)
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    if not scope:
        yield required("spec.scope")
    elif scope not in _SCOPES:
        yield not_supported("spec.scope", scope, _SCOPES)
    for key in ("plural", "singular", "kind", "listKind"):
        name = names.get(key) or ""
        path = f"spec.names.{key}"
        if not name:
            yield required(path)
        messages = validation.dns_1035_label(name.lower() if key in ("kind", "listKind") else name)
        mixed = "may have mixed case, but should otherwise match: " if key in ("kind", "listKind") else ""
        yield from validation.values(path, name, [mixed + message for message in messages])
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        yield invalid_value("spec.names.listKind", names["listKind"], "kind and listKind may not be the same")
    for key in ("shortNames", "categories"):
        for index, name in enumerate(names.get(key) or ()):
            yield from validation.values(f"spec.names.{key}[{index}]", name, validation.dns_1035_label(name))


def _versions(spec: Obj) -> _Faults:
    versions = spec.get("versions") or []
    seen: set[str] = set()
    for index, version in enumerate(versions):
        path, name = f"spec.versions[{index}]", version.get("name") or ""
        yield from validation.values(f"{path}.name", name, validation.dns_1035_label(name))
        if name in seen:
            yield duplicate(f"{path}.name", name)
        seen.add(name)
        if version.get("deprecationWarning") and not version.get("deprecated"):
            text = "can only be set for deprecated versions"
            yield invalid_value(f"{path}.deprecationWarning", version["deprecationWarning"], text)
    if [bool(version.get("storage")) for version in versions].count(True) != 1:
        yield invalid_value("spec.versions", versions, "must have exactly one version marked as storage version")
    yield from _conversion("spec.conversion", spec.get("conversion") or {})


def _conversion(path: str, conversion: Obj) -> _Faults:
    strategy, webhook = conversion.get("strategy"), conversion.get("webhook")
    if strategy not in ("None", "Webhook"):
        yield not_supported(f"{path}.strategy", strategy, ("None", "Webhook"))
    elif strategy == "None":
        if webhook is not None:
            yield forbidden_field(f"{path}.webhook", "should not be set when strategy is not set to Webhook")
    elif webhook is None or webhook.get("clientConfig") is None:
        yield required(f"{path}.webhook.clientConfig", "required when strategy is set to Webhook")
    else:
        yield from webhookconfiguration.client(f"{path}.webhook.clientConfig", webhook["clientConfig"])
        versions = webhook.get("conversionReviewVersions") or []
        yield from webhookconfiguration.review_versions(f"{path}.webhook.conversionReviewVersions", versions)


def _deleting(definition: Obj, now: datetime) -> None:
    """Its objects go before it does."""
    metadata = definition["metadata"]
    metadata["finalizers"] = [*(metadata.get("finalizers") or ()), CLEANUP]
    status = definition["status"] = dict(definition.get("status") or {})
    text = "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon"
    mark = {"type": "Terminating", "status": "True", "reason": "InstanceDeletionPending", "message": text}
    kept = [one for one in status.get("conditions") or () if one.get("type") != "Terminating"]
    status["conditions"] = [*kept, {**mark, "lastTransitionTime": meta.format_time(now)}]


CUSTOM_RESOURCE_DEFINITION = Kind(
    group="apiextensions.k8s.io",
    version="v1",
    kind="CustomResourceDefinition",
    plural="customresourcedefinitions",
    singular="customresourcedefinition",
    namespaced=False,
    short_names=("crd", "crds"),
    categories=("api-extensions",),
    subresources=frozenset({"status"}),
    default=_default,
    prepare=_prepare,
    validate=_validate,
    initial_status=_initial_status,
    deleting=_deleting,
)
