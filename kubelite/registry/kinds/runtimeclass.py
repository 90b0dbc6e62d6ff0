"""RuntimeClasses: which of the engine's runtimes runs a pod. Pods are admitted by them in `pod_admission`.

After upstream's `pkg/apis/node/validation` and its RuntimeClass admission plug-in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from kubelite.errors import FieldError, StatusError, forbidden, required
from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj
from kubelite.registry import validation
from kubelite.registry.kind import AGE_COLUMN, NAME_COLUMN, Column, Kind, Reader
from kubelite.registry.kinds.podspec_resources import resource_name
from kubelite.registry.kinds.podspec_scheduling import tolerations
from kubelite.registry.printing import age


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    handler = new.get("handler") or ""
    errors = validation.values("handler", handler, validation.dns_label(handler)) if handler else [required("handler")]
    for name, amount in ((new.get("overhead") or {}).get("podFixed") or {}).items():
        at = f"overhead.podFixed[{name}]"
        errors += resource_name(at, name) + validation.quantity(at, amount)
    scheduling = new.get("scheduling") or {}
    errors += validation.labels("scheduling.nodeSelector", scheduling.get("nodeSelector"))
    errors += tolerations("scheduling.tolerations", scheduling.get("tolerations") or ())
    if old is not None:
        errors += validation.unchanged("handler", handler, old.get("handler"))
    return errors


def _row(found: Obj, now: datetime) -> list[Any]:
    return [meta.name(found), found.get("handler", ""), age(found, now)]


RUNTIME_CLASS = Kind(
    group="node.k8s.io",
    version="v1",
    kind="RuntimeClass",
    plural="runtimeclasses",
    singular="runtimeclass",
    namespaced=False,
    columns=(NAME_COLUMN, Column("Handler", description="The engine's runtime that it stands for."), AGE_COLUMN),
    row=_row,
    validate=_validate,
)


def admit_runtime_class(pod: Obj, reader: Reader) -> None:
    """A new pod gets its class's overhead and where it may be scheduled; unknown classes are refused."""
    spec, name = pod["spec"], pod["spec"].get("runtimeClassName")
    found = reader.find("runtimeclasses", None, name) if name else None
    if name and found is None:
        raise _rejected(pod, f'RuntimeClass "{name}" not found')
    overhead = ((found or {}).get("overhead") or {}).get("podFixed")
    if spec.get("overhead") and not overhead:
        raise _rejected(pod, "Pod Overhead set without corresponding RuntimeClass defined Overhead")
    if overhead:
        if spec.get("overhead") and _amounts(spec["overhead"]) != _amounts(overhead):
            raise _rejected(pod, "Pod's Overhead doesn't match RuntimeClass's defined Overhead")
        spec["overhead"] = dict(overhead)
    _schedule(pod, (found or {}).get("scheduling") or {})


def _rejected(pod: Obj, why: str) -> StatusError:
    return forbidden("pods", meta.name(pod), f"pod rejected: {why}")


def _amounts(resources: Obj) -> dict[str, object]:
    return {name: quantity.parse(value) for name, value in resources.items()}


def _schedule(pod: Obj, scheduling: Obj) -> None:
    spec = pod["spec"]
    own, wanted = spec.get("nodeSelector") or {}, scheduling.get("nodeSelector") or {}
    for key, value in wanted.items():
        if own.get(key, value) != value:
            shown = f"runtimeClass.scheduling.nodeSelector[{key}] = {value}; pod.spec.nodeSelector[{key}] = {own[key]}"
            raise forbidden("pods", meta.name(pod), f"conflict: {shown}")
    if wanted:
        spec["nodeSelector"] = own | wanted
    if more := scheduling.get("tolerations"):
        given = spec.get("tolerations") or []
        spec["tolerations"] = [*given, *(toleration for toleration in more if toleration not in given)]
