"""Which webhooks have a say in a write; pure.

After apiserver's `admission/plugin/webhook/{rules,generic,predicates}`: a rule names operation, group, version, resource
and scope; `matchPolicy: Equivalent` takes the same resource in another version for it too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_label_selector
from kubelite.registry.kind import Kind

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]
GROUP = "admissionregistration.k8s.io"
_ANY = "*"


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request is about; `shape` is (group, version, kind) of an object that isn't its resource's own (a Scale)."""

    kind: Kind
    operation: Operation
    namespace: str
    name: str
    new: Obj | None = None
    old: Obj | None = None
    subresource: str = ""
    shape: tuple[str, str, str] | None = None
    dry_run: bool = False
    manager: str = ""  # who the fields belong to from now on


@dataclass(frozen=True, slots=True)
class Webhook:
    """One entry of a configuration; `id` tells it from all others."""

    id: str
    spec: Obj

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def fails_open(self) -> bool:
        return bool(self.spec["failurePolicy"] == "Ignore")


def listed(configurations: Iterable[Obj]) -> Iterator[Webhook]:
    """In the order in which they are asked; `configurations` are ordered by name."""
    for configuration in configurations:
        for index, spec in enumerate(configuration.get("webhooks") or ()):
            yield Webhook(f"{meta.uid(configuration)}/{configuration['metadata'].get('generation')}/{index}", spec)


def chosen_kind(webhook: Webhook, asked: Attributes, equivalents: Sequence[Kind], namespace: Obj | None) -> Kind | None:
    """The kind in whose form the webhook wants to see the object, if it has a say in this at all."""
    if asked.kind.group == GROUP:  # nobody can lock the cluster against mending its webhooks
        return None
    if not _namespace_matches(webhook.spec["namespaceSelector"], asked, namespace):
        return None
    if not _object_matches(webhook.spec["objectSelector"], asked):
        return None
    candidates = [asked.kind]
    if webhook.spec["matchPolicy"] == "Equivalent":
        candidates += [kind for kind in equivalents if kind is not asked.kind]
    rules = webhook.spec.get("rules") or ()
    return next((kind for kind in candidates if any(_rule_matches(rule, asked, kind) for rule in rules)), None)


def _namespace_matches(selector: Obj, asked: Attributes, namespace: Obj | None) -> bool:
    """Objects outside of namespaces can't be left out by this; a Namespace is in itself."""
    if not selector:
        return True
    if asked.kind.resource == "namespaces":
        namespace = asked.new or asked.old
    elif not asked.namespace:
        return True
    return from_label_selector(selector).matches(meta.labels(namespace) if namespace else {})


def _object_matches(selector: Obj, asked: Attributes) -> bool:
    """As it was or as it is to be."""
    if not selector:
        return True
    wanted = from_label_selector(selector)
    return any(wanted.matches(meta.labels(obj)) for obj in (asked.new, asked.old) if obj and "metadata" in obj)


def _rule_matches(rule: Obj, asked: Attributes, kind: Kind) -> bool:
    return (
        _one_of(rule["operations"], asked.operation)
        and _one_of(rule["apiGroups"], kind.group)
        and _one_of(rule["apiVersions"], kind.version)
        and rule["scope"] in (_ANY, "Namespaced" if asked.kind.namespaced else "Cluster")
        and any(_resource_matches(text, kind.plural, asked.subresource) for text in rule["resources"])
    )


def _one_of(given: Sequence[str], value: str) -> bool:
    return _ANY in given or value in given


def _resource_matches(text: str, plural: str, subresource: str) -> bool:
    resource, slash, of = text.partition("/")
    return resource in (_ANY, plural) and (of in (_ANY, subresource) if slash else not subresource)
