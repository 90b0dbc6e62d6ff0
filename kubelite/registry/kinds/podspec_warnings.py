"""What is allowed in a pod spec but worth a Warning header; after upstream's `api/pod` warnings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from kubelite.objects import quantity as quantities
from kubelite.objects.meta import Obj
from kubelite.registry.kinds.podspec_annotations import APPARMOR_PREFIX, SECCOMP_POD, SECCOMP_PREFIX
from kubelite.registry.validation import dns_label

_OLD_LABELS = {
    "beta.kubernetes.io/arch": ("v1.14", "kubernetes.io/arch"),
    "beta.kubernetes.io/os": ("v1.14", "kubernetes.io/os"),
    "failure-domain.beta.kubernetes.io/region": ("v1.17", "topology.kubernetes.io/region"),
    "failure-domain.beta.kubernetes.io/zone": ("v1.17", "topology.kubernetes.io/zone"),
    "beta.kubernetes.io/instance-type": ("v1.17", "node.kubernetes.io/instance-type"),
}
_OLD_ANNOTATIONS = {
    "scheduler.alpha.kubernetes.io/critical-pod": 'non-functional in v1.16+; use the "priorityClassName" field instead',
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_OLD_VOLUMES = {
    "photonPersistentDisk": "deprecated in v1.11, non-functional in v1.16+",
    "gitRepo": "deprecated in v1.11",
    "scaleIO": "deprecated in v1.16, non-functional in v1.22+",
    "flocker": "deprecated in v1.22, non-functional in v1.25+",
    "storageos": "deprecated in v1.22, non-functional in v1.25+",
    "quobyte": "deprecated in v1.22, non-functional in v1.25+",
    "glusterfs": "deprecated in v1.25, non-functional in v1.26+",
    "cephfs": "deprecated in v1.28, non-functional in v1.31+",
    "rbd": "deprecated in v1.28, non-functional in v1.31+",
}
_NULL_SELECTOR = "a null labelSelector results in matching no pod"
_IN_BYTES = ("memory", "ephemeral-storage")


def pod_warnings(pod: Obj) -> list[str]:
    return [*host_name_warnings(pod, "the Pod's hostname"), *_warnings("", pod)]


def template_warnings(template: Obj, path: str = "spec.template.") -> list[str]:
    return list(_warnings(path, template))


def workload_warnings(workload: Obj) -> list[str]:
    """Of a kind whose pods are named after it."""
    names = host_name_warnings(workload, "Pod names and hostnames")
    return [*names, *template_warnings(workload["spec"]["template"])]


def host_name_warnings(obj: Obj, use: str) -> list[str]:
    messages = dns_label(obj["metadata"].get("name") or "")
    text = f"this is used in {use}, which can result in surprising behavior; a DNS label is recommended"
    return [f"metadata.name: {text}: [{' '.join(messages)}]"] if messages else []


def _warnings(path: str, pod: Obj) -> Iterator[str]:
    """`path` leads to a template and ends with a dot; it is empty for a pod."""
    spec, annotations = pod.get("spec") or {}, (pod.get("metadata") or {}).get("annotations") or {}
    at = f"{path}spec"
    yield from _scheduling(at, spec)
    for key, text in _OLD_ANNOTATIONS.items():
        if key in annotations:
            yield f"{path}metadata.annotations[{key}]: {text}"
    for index, volume in enumerate(spec.get("volumes") or ()):
        yield from (f"{at}.volumes[{index}].{name}: {text}" for name, text in _OLD_VOLUMES.items() if volume.get(name))
    yield from _duplicates(f"{at}.hostAliases", spec.get("hostAliases") or (), "ip")
    secrets = spec.get("imagePullSecrets") or ()
    yield from _duplicates(f"{at}.imagePullSecrets", secrets, "name")
    for index, secret in enumerate(secrets):
        if not secret.get("name"):
            yield f'{at}.imagePullSecrets[{index}].name: invalid empty name ""'
    if SECCOMP_POD in annotations and not (spec.get("securityContext") or {}).get("seccompProfile"):
        yield f'{path}metadata.annotations[{SECCOMP_POD}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    for where, container in _containers(at, spec):
        yield from _profiles(path, spec, container, annotations)
        yield from _container(where, container)
    yield from _ports(at, spec)
    if (spec.get("terminationGracePeriodSeconds") or 0) < 0:
        text = "must be >= 0; negative values are invalid and will be treated as 1"
        yield f"{at}.terminationGracePeriodSeconds: {text}"


def _containers(path: str, spec: Obj) -> Iterator[tuple[str, Obj]]:
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(kind) or ()):
            yield f"{path}.{kind}[{index}]", container


def _scheduling(path: str, spec: Obj) -> Iterator[str]:
    for key in spec.get("nodeSelector") or ():
        if key in _OLD_LABELS:
            yield f"{path}.nodeSelector[{key}]: {_old_label(key)}"
    for index, constraint in enumerate(spec.get("topologySpreadConstraints") or ()):
        at, key = f"{path}.topologySpreadConstraints[{index}]", constraint.get("topologyKey")
        if key in _OLD_LABELS:
            yield f"{at}.topologyKey: {key} is {_old_label(key)}"
        if constraint.get("labelSelector") is None:
            yield f"{at}.labelSelector: {_NULL_SELECTOR}"
    for kind in ("podAffinity", "podAntiAffinity"):
        affinity = (spec.get("affinity") or {}).get(kind) or {}
        for field, inner in (("required", ""), ("preferred", ".podAffinityTerm")):
            name = f"{field}DuringSchedulingIgnoredDuringExecution"
            for index, entry in enumerate(affinity.get(name) or ()):
                term = entry.get("podAffinityTerm") or {} if inner else entry
                if term.get("labelSelector") is None:
                    yield f"{path}.affinity.{kind}.{name}[{index}]{inner}.labelSelector: {_NULL_SELECTOR}"


def _old_label(key: str) -> str:
    since, instead = _OLD_LABELS[key]
    return f'deprecated since {since}; use "{instead}" instead'


def _duplicates(path: str, entries: Sequence[Obj], field: str) -> Iterator[str]:
    seen = set()
    for index, entry in enumerate(entries):
        value = entry.get(field) or ""
        if value in seen:
            yield f'{path}[{index}].{field}: duplicate {field} "{value}"'
        seen.add(value)


def _profiles(path: str, spec: Obj, container: Obj, annotations: Obj) -> Iterator[str]:
    contexts = (container.get("securityContext") or {}, spec.get("securityContext") or {})
    key = f"{SECCOMP_PREFIX}{container.get('name')}"
    if key in annotations and not contexts[0].get("seccompProfile"):
        yield f'{path}metadata.annotations[{key}]: non-functional in v1.27+; use the "seccompProfile" field instead'
    key = f"{APPARMOR_PREFIX}{container.get('name')}"
    if key in annotations and not any(context.get("appArmorProfile") for context in contexts):
        yield f'{path}metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'


def _container(path: str, container: Obj) -> Iterator[str]:
    for name in _IN_BYTES:
        yield from fractional_bytes(path, container, name)
    seen = set()
    for index, variable in enumerate(container.get("env") or ()):
        name, value = variable.get("name"), variable.get("value") or ""
        extends = f"$({name})" in value and value != f"$({name})" and variable.get("valueFrom") is None
        if name in seen and not extends:
            yield f'{path}.env[{index}]: hides previous definition of "{name}", which may be dropped when using apply'
        seen.add(name)


def fractional_bytes(path: str, holder: Obj, name: str) -> Iterator[str]:
    """The amounts of a container's or a claim's resource `name` that aren't whole bytes."""
    for bound in ("limits", "requests"):
        value = ((holder.get("resources") or {}).get(bound) or {}).get(name)
        if value is not None and quantities.to_milli(value) % 1000:
            at = f"{path}.resources.{bound}[{name}]"
            yield f'{at}: fractional byte value "{value}" is invalid, must be an integer'


def _ports(path: str, spec: Obj) -> Iterator[str]:
    """Ports that several containers, or one twice, say they listen on."""
    seen: dict[tuple[int, str], list[tuple[str, Obj]]] = {}
    for where, container in _containers(path, spec):
        for index, port in enumerate(container.get("ports") or ()):
            at = f"{where}.ports[{index}]"
            others = seen.setdefault((port.get("containerPort", 0), port.get("protocol", "")), [])
            for place, other in others:
                if how := _overlap(port, other):
                    yield f"{at}: {how} port definition with {place}"
            others.append((at, port))


def _overlap(port: Obj, other: Obj) -> str:
    host_ports = (port.get("hostPort") or 0, other.get("hostPort") or 0)
    host_ips = (port.get("hostIP") or "", other.get("hostIP") or "")
    if host_ips[0] == host_ips[1] and host_ports[0] == host_ports[1]:
        return "duplicate"
    if 0 in host_ports:
        return "overlapping"
    ambiguous = host_ports[0] == host_ports[1] and (host_ips[0] == "") != (host_ips[1] == "")
    return "dangerously ambiguous" if ambiguous else ""
