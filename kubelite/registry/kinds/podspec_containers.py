"""Rules about the containers of a pod spec, of all three kinds; after upstream's `validateContainers` and its kin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kubelite.errors import duplicate, forbidden_field, invalid_value, not_found_field, required
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_env import env, env_from
from kubelite.registry.kinds.podspec_probes import PROBES, lifecycle, probe
from kubelite.registry.kinds.podspec_resources import resource_requirements
from kubelite.registry.kinds.podspec_rules import Errors, one_of, within
from kubelite.registry.kinds.podspec_security import security_context
from kubelite.registry.kinds.podspec_volumes import devices, mounts
from kubelite.registry.validation import dns_label, port_name, port_number, values

PULL_POLICIES = ("Always", "IfNotPresent", "Never")
PROTOCOLS = ("SCTP", "TCP", "UDP")

_ONLY_SIDECARS = "may not be set for init containers without restartPolicy=Always"
_NOT_EPHEMERAL = "cannot be set for an Ephemeral Container"
_NOT_FOR_EPHEMERAL = ("ports", "resources", "lifecycle", *PROBES, "resizePolicy", "restartPolicy")
_WHITESPACE = "must not have leading or trailing whitespace"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the rules about one container need to know of its pod."""

    volumes: Mapping[str, Obj] = field(default_factory=dict)
    claims: set[str] = field(default_factory=set)
    grace: int = 30


def containers(path: str, given: Sequence[Obj], pod: Surroundings) -> Errors:
    if not given:
        return [required(path)]
    errors: Errors = []
    names: set[str] = set()
    for index, container in enumerate(given):
        at = f"{path}[{index}]"
        errors += _common(at, container, pod)
        errors += _unique_name(at, container, names)
        errors += _hooks(at, container, pod)
        if container.get("restartPolicy") is not None:
            errors.append(forbidden_field(f"{at}.restartPolicy", "may not be set for non-init containers"))
    return errors + _host_port_conflicts(path, given)


def init_containers(path: str, given: Sequence[Obj], regular: Sequence[Obj], pod: Surroundings) -> Errors:
    errors: Errors = []
    names = {container.get("name") or "" for container in regular}
    for index, container in enumerate(given):
        at = f"{path}[{index}]"
        errors += _common(at, container, pod)
        errors += within(f"{at}.restartPolicy", container.get("restartPolicy"), ("Always",))
        errors += _unique_name(at, container, names)
        errors += _host_port_conflicts(path, [container])
        if container.get("restartPolicy") == "Always":
            errors += _hooks(at, container, pod)
        else:
            hooks = [name for name in ("lifecycle", *PROBES) if container.get(name) is not None]
            errors += [forbidden_field(f"{at}.{name}", _ONLY_SIDECARS) for name in hooks]
    return errors


def ephemeral_containers(path: str, spec: Obj, pod: Surroundings) -> Errors:
    others = {c.get("name") for c in [*(spec.get("containers") or ()), *(spec.get("initContainers") or ())]}
    names = {str(name) for name in others}
    errors: Errors = []
    for index, container in enumerate(spec.get("ephemeralContainers") or ()):
        at = f"{path}[{index}]"
        errors += _common(at, container, pod) + image_whitespace(at, container)
        errors += _unique_name(at, container, names)
        target = container.get("targetContainerName")
        if target and target not in others:
            errors.append(not_found_field(f"{at}.targetContainerName", target))
        errors += [
            forbidden_field(f"{at}.{name}", _NOT_EPHEMERAL) for name in _NOT_FOR_EPHEMERAL if container.get(name)
        ]
        for number, mount in enumerate(container.get("volumeMounts") or ()):
            for name in ("subPath", "subPathExpr"):
                if mount.get(name):
                    errors.append(forbidden_field(f"{at}.volumeMounts[{number}].{name}", _NOT_EPHEMERAL))
    return errors


def image_whitespace(path: str, container: Obj) -> Errors:
    """Only pods are checked for it: templates may hold blanks that something fills in."""
    image = container.get("image") or ""
    return [] if image == image.strip() else [invalid_value(f"{path}.image", image, _WHITESPACE)]


def _common(path: str, container: Obj, pod: Surroundings) -> Errors:
    name = container.get("name") or ""
    errors = values(f"{path}.name", name, dns_label(name)) if name else [required(f"{path}.name")]
    if not container.get("image"):
        errors.append(required(f"{path}.image"))
    policy = container.get("terminationMessagePolicy")
    errors += one_of(f"{path}.terminationMessagePolicy", policy, ("File", "FallbackToLogsOnError"))
    errors += _ports(f"{path}.ports", container.get("ports") or ())
    errors += env(f"{path}.env", container.get("env") or ())
    errors += env_from(f"{path}.envFrom", container.get("envFrom") or ())
    errors += mounts(f"{path}.volumeMounts", container, pod.volumes)
    errors += devices(f"{path}.volumeDevices", container, pod.volumes)
    errors += one_of(f"{path}.imagePullPolicy", container.get("imagePullPolicy"), PULL_POLICIES)
    errors += resource_requirements(f"{path}.resources", container.get("resources") or {}, pod.claims)
    return errors + security_context(f"{path}.securityContext", container.get("securityContext") or {})


def _unique_name(path: str, container: Obj, names: set[str]) -> Errors:
    name = container.get("name") or ""
    taken = name in names
    if name:
        names.add(name)
    return [duplicate(f"{path}.name", name)] if taken else []


def _hooks(path: str, container: Obj, pod: Surroundings) -> Errors:
    errors = lifecycle(f"{path}.lifecycle", container.get("lifecycle"), pod.grace)
    for kind in PROBES:
        errors += probe(f"{path}.{kind}", kind, container.get(kind))
    return errors


def _ports(path: str, given: Sequence[Obj]) -> Errors:
    errors: Errors = []
    names: set[str] = set()
    for index, entry in enumerate(given):
        at = f"{path}[{index}]"
        if name := entry.get("name"):
            wrong = values(f"{at}.name", name, port_name(name))
            errors += wrong or ([duplicate(f"{at}.name", name)] if name in names else [])
            names.add(name)
        number = entry.get("containerPort") or 0
        where = f"{at}.containerPort"
        errors += values(where, number, port_number(number)) if number else [required(where)]
        if host_port := entry.get("hostPort"):
            errors += values(f"{at}.hostPort", host_port, port_number(host_port))
        errors += one_of(f"{at}.protocol", entry.get("protocol"), PROTOCOLS)
    return errors


def _host_port_conflicts(path: str, given: Sequence[Obj]) -> Errors:
    errors: Errors = []
    taken: set[str] = set()
    for index, container in enumerate(given):
        for number, entry in enumerate(container.get("ports") or ()):
            if not entry.get("hostPort"):
                continue
            text = f"{entry.get('protocol')}/{entry.get('hostIP') or ''}/{entry['hostPort']}"
            if text in taken:
                errors.append(duplicate(f"{path}[{index}].ports[{number}].hostPort", text))
            taken.add(text)
    return errors
