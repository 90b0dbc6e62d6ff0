"""Pods: the declaration. Defaults, rules, admission and printing have modules of their own."""

from __future__ import annotations

from collections.abc import Callable

from kubelite.errors import FieldError, forbidden_field
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.pod_admission import admit_pod
from kubelite.registry.kinds.pod_affinity import resolve_label_keys
from kubelite.registry.kinds.pod_printing import COLUMNS, pod_row
from kubelite.registry.kinds.pod_update import ephemeral_containers_update, pod_update
from kubelite.registry.kinds.podspec_annotations import pod_annotations
from kubelite.registry.kinds.podspec_containers import image_whitespace
from kubelite.registry.kinds.podspec_defaults import DEFAULT_GRACE_SECONDS, default_pod
from kubelite.registry.kinds.podspec_resources import qos_class
from kubelite.registry.kinds.podspec_validation import pod_spec
from kubelite.registry.kinds.podspec_warnings import pod_warnings


def _default(pod: Obj) -> None:
    pod["spec"] = pod.get("spec") or {}
    default_pod(pod["spec"])


def _initial_status(pod: Obj) -> Obj:
    status: Obj = {"phase": "Pending", "qosClass": qos_class(pod["spec"])}
    if pod["spec"].get("schedulingGates"):
        status["conditions"] = [
            {
                "type": "PodScheduled",
                "status": "False",
                "lastProbeTime": None,
                "lastTransitionTime": None,
                "reason": "SchedulingGated",
                "message": "Scheduling is blocked due to non-empty scheduling gates",
            }
        ]
    return status


def _validate(new: Obj, old: Obj | None) -> list[FieldError]:
    spec, errors = new["spec"], _of_itself(new)
    if old is not None:
        return errors + pod_update(spec, old["spec"])
    if spec.get("ephemeralContainers"):
        errors.append(forbidden_field("spec.ephemeralContainers", "cannot be set on create"))
    if spec.get("nodeName") and spec.get("schedulingGates"):
        text = "cannot be set until all schedulingGates have been cleared"
        errors.append(forbidden_field("spec.nodeName", text))
    return errors


def _of_itself(pod: Obj) -> list[FieldError]:
    spec = pod["spec"]
    errors = pod_annotations("metadata.annotations", meta.annotations(pod), spec)
    errors += pod_spec("spec", spec, meta.name(pod))
    for kind in ("containers", "initContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            errors += image_whitespace(f"spec.{kind}[{index}]", container)
    return errors


def _validate_ephemeral_containers(new: Obj, old: Obj) -> list[FieldError]:
    return _of_itself(new) + ephemeral_containers_update(new["spec"], old["spec"])


def _grace(pod: Obj) -> int:
    """A negative grace, which old clients could set, counts as one second."""
    seconds: int = pod["spec"].get("terminationGracePeriodSeconds", DEFAULT_GRACE_SECONDS)
    return seconds if seconds >= 0 else 1


def _first_address(pod: Obj) -> str:
    addresses = (pod.get("status") or {}).get("podIPs") or [{}]
    return str(addresses[0].get("ip") or "")


def _field(part: str, name: str) -> Callable[[Obj], str]:
    return lambda pod: str((pod.get(part) or {}).get(name) or "")


POD = Kind(
    group="",
    version="v1",
    kind="Pod",
    plural="pods",
    singular="pod",
    namespaced=True,
    short_names=("po",),
    categories=("all",),
    columns=COLUMNS,
    row=pod_row,
    subresources=frozenset(
        {"status", "log", "exec", "attach", "portforward", "proxy", "binding", "eviction", "ephemeralcontainers"}
    ),
    default=_default,
    prepare=resolve_label_keys,
    admit=admit_pod,
    validate=_validate,
    subresource_rules={"ephemeralcontainers": _validate_ephemeral_containers},
    fields={
        "spec.nodeName": _field("spec", "nodeName"),
        "spec.restartPolicy": _field("spec", "restartPolicy"),
        "spec.schedulerName": _field("spec", "schedulerName"),
        "spec.serviceAccountName": _field("spec", "serviceAccountName"),
        "spec.hostNetwork": lambda pod: "true" if pod["spec"].get("hostNetwork") else "false",
        "status.phase": _field("status", "phase"),
        "status.podIP": _first_address,
        "status.podIPs": _first_address,
        "status.nominatedNodeName": _field("status", "nominatedNodeName"),
    },
    initial_status=_initial_status,
    grace=_grace,
    warnings=pod_warnings,
    returns_deleted=True,
)
