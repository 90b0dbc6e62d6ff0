"""Rules about annotations that mean something on a pod; after upstream's `ValidatePodSpecificAnnotations`."""

from __future__ import annotations

from collections.abc import Mapping

from kubelite.errors import invalid_value
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_rules import MAX_INT32, Errors, descending_path

MIRROR = "kubernetes.io/config.mirror"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
APPARMOR_PREFIX = "container.apparmor.security.beta.kubernetes.io/"
SECCOMP_POD = "seccomp.security.alpha.kubernetes.io/pod"
SECCOMP_PREFIX = "container.seccomp.security.alpha.kubernetes.io/"

_LOCAL = "localhost/"
_SECCOMP_PROFILES = ("runtime/default", "docker/default", "unconfined")
_APPARMOR_PROFILES = ("", "runtime/default", "unconfined")


def pod_annotations(path: str, given: Mapping[str, str] | None, spec: Obj) -> Errors:
    annotations = given or {}
    errors: Errors = []
    if MIRROR in annotations and not spec.get("nodeName"):
        text = "must set spec.nodeName if mirror pod annotation is set"
        errors.append(invalid_value(f"{path}[{MIRROR}]", annotations[MIRROR], text))
    cost = annotations.get(DELETION_COST)
    if cost is not None and not _is_int32(cost):
        errors.append(invalid_value(f"{path}[{DELETION_COST}]", cost, "must be a 32bit integer"))
    for key, profile in annotations.items():
        if key == SECCOMP_POD or key.startswith(SECCOMP_PREFIX):
            errors += _seccomp(f"{path}.{key}", profile)
        elif key.startswith(APPARMOR_PREFIX):
            errors += _apparmor(f"{path}[{key}]", key.removeprefix(APPARMOR_PREFIX), profile, spec)
    return errors


def _is_int32(text: str) -> bool:
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdigit() and (digits == "0" or not digits.startswith("0"))
    return plain and text != "-0" and -MAX_INT32 - 1 <= int(text) <= MAX_INT32


def _seccomp(path: str, profile: str) -> Errors:
    if profile in _SECCOMP_PROFILES:
        return []
    if profile.startswith(_LOCAL):
        return descending_path(path, profile.removeprefix(_LOCAL))
    return [invalid_value(path, profile, "must be a valid seccomp profile")]


def _apparmor(path: str, container: str, profile: str, spec: Obj) -> Errors:
    kinds = ("initContainers", "containers", "ephemeralContainers")
    names = {entry.get("name") for kind in kinds for entry in spec.get(kind) or ()}
    errors = [] if container in names else [invalid_value(path, container, "container not found")]
    if profile not in _APPARMOR_PROFILES and not profile.startswith(_LOCAL):
        errors.append(invalid_value(path, profile, f'invalid AppArmor profile name: "{profile}"'))
    return errors
