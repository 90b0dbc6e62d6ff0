"""A container's environment and the $(NAME) references in it, its command and its arguments. PURE.

Follows upstream's `makeEnvironmentVariables` (kubelet_pods.go), `kubelet/envvars` and `third_party/forked/golang/
expansion`. What can't be resolved is a ConfigError: the container waits with CreateContainerConfigError.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from kubelite.node.fields import UNKNOWN_MACHINE, Machine, UnsupportedField, field_value, resource_value
from kubelite.objects import meta
from kubelite.objects.meta import Obj


class ConfigError(Exception):
    """A container can't be configured; the message is the waiting message."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Everything outside the pod that its environment may speak of."""

    find: Callable[[str, str], Obj | None]  # (plural, name) in the pod's namespace: configmaps and secrets
    services: Sequence[Obj] = ()  # of the pod's namespace, and the `kubernetes` one
    pod_address: str = ""
    host_address: str = ""
    node: str = ""
    machine: Machine = UNKNOWN_MACHINE


def environment(pod: Obj, container: Obj, around: Surroundings) -> dict[str, str]:
    """Service links, then envFrom, then env; the later ones win."""
    links = service_links(pod, around.services)
    result = _from_sources(container, around)
    for entry in container.get("env") or ():
        value = _value(pod, container, entry, around, lambda name: result.get(name, links.get(name)))
        if value is not None:
            result[entry["name"]] = value
    return {name: value for name, value in links.items() if name not in result} | result


def _from_sources(container: Obj, around: Surroundings) -> dict[str, str]:
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        prefix = source.get("prefix") or ""
        for kind, plural in (("configMapRef", "configmaps"), ("secretRef", "secrets")):
            if ref := source.get(kind):
                found = _find(plural, ref, around)
                result |= {prefix + key: value for key, value in _texts(plural, found).items()}
    return result


def _value(
    pod: Obj, container: Obj, entry: Obj, around: Surroundings, lookup: Callable[[str], str | None]
) -> str | None:
    """One variable's value; None for an optional one that isn't there."""
    source = entry.get("valueFrom")
    if not source:
        return expand(entry.get("value") or "", lookup)
    try:
        if ref := source.get("fieldRef"):
            return field_value(pod, ref["fieldPath"], around.pod_address, around.host_address, around.node)
        if ref := source.get("resourceFieldRef"):
            return resource_value(pod, ref, container["name"], around.machine)
    except UnsupportedField as error:
        raise ConfigError(str(error)) from error
    if ref := source.get("configMapKeyRef"):
        return _key(pod, "configmaps", "ConfigMap", ref, around)
    if ref := source.get("secretKeyRef"):
        return _key(pod, "secrets", "Secret", ref, around)
    return ""


def _key(pod: Obj, plural: str, kind: str, ref: Obj, around: Surroundings) -> str | None:
    texts = _texts(plural, _find(plural, ref, around))
    if ref["key"] in texts:
        return texts[ref["key"]]
    if ref.get("optional"):
        return None
    raise ConfigError(f"couldn't find key {ref['key']} in {kind} {meta.namespace(pod)}/{ref['name']}")


def _find(plural: str, ref: Obj, around: Surroundings) -> Obj | None:
    name = ref.get("name") or ""
    found = around.find(plural, name)
    if found is None and not ref.get("optional"):
        raise ConfigError(f'{plural[:-1]} "{name}" not found')
    return found


def _texts(plural: str, found: Obj | None) -> dict[str, str]:
    data = (found or {}).get("data") or {}
    if plural == "configmaps":
        return dict(data)
    return {key: base64.b64decode(value).decode(errors="surrogateescape") for key, value in data.items()}


# --- $(NAME) ---------------------------------------------------------------------------------------------------------

_REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")


def expand(text: str, lookup: Callable[[str], str | None]) -> str:
    """Replace $(NAME) by its value; unknown names stay as they are, $$ is a literal $."""

    def replacement(found: re.Match[str]) -> str:
        if found[0] == "$$":
            return "$"
        value = lookup(found[1])
        return found[0] if value is None else value

    return _REFERENCE.sub(replacement, text)


def expand_all(words: Iterable[str] | None, variables: Mapping[str, str]) -> list[str] | None:
    """A command or its arguments; None when the manifest has none, so that the image's apply."""
    return [expand(word, variables.get) for word in words] if words else None


def expand_probe(action: Obj, container: Obj) -> Obj:
    """A probe's `exec`, which knows the values that the manifest spells out; of others just that they are."""
    values = {entry["name"]: entry.get("value") or "" for entry in container.get("env") or ()}
    return {**action, "command": [expand(word, values.get) for word in action.get("command") or ()]}


# --- service links ---------------------------------------------------------------------------------------------------


def service_links(pod: Obj, services: Sequence[Obj]) -> dict[str, str]:
    """Variables for the `kubernetes` Service and, unless switched off, for those of the pod's namespace."""
    wanted: dict[str, Obj] = {}
    linked = pod["spec"].get("enableServiceLinks", True)
    for service in services:
        is_master = (meta.namespace(service), meta.name(service)) == ("default", "kubernetes")
        in_namespace = meta.namespace(service) == meta.namespace(pod)
        if linked and in_namespace and _has_address(service):
            wanted[meta.name(service)] = service
        elif is_master and _has_address(service):
            wanted.setdefault(meta.name(service), service)
    result: dict[str, str] = {}
    for service in wanted.values():
        result |= _link(service)
    return result


def _has_address(service: Obj) -> bool:
    return service["spec"].get("clusterIP") not in (None, "", "None")


def _link(service: Obj) -> dict[str, str]:
    name = meta.name(service).replace("-", "_").upper()
    address, ports = service["spec"]["clusterIP"], service["spec"].get("ports") or []
    if not ports:
        return {f"{name}_SERVICE_HOST": address}
    result = {f"{name}_SERVICE_HOST": address, f"{name}_SERVICE_PORT": str(ports[0]["port"])}
    for port in ports:
        if port.get("name"):
            result[f"{name}_SERVICE_PORT_{port['name'].replace('-', '_').upper()}"] = str(port["port"])
    result[f"{name}_PORT"] = _url(ports[0], address)
    for port in ports:
        stem = f"{name}_PORT_{port['port']}_{_protocol(port).upper()}"
        result |= {
            stem: _url(port, address),
            f"{stem}_PROTO": _protocol(port),
            f"{stem}_PORT": str(port["port"]),
            f"{stem}_ADDR": address,
        }
    return result


def _protocol(port: Obj) -> str:
    return str(port.get("protocol") or "TCP").lower()


def _url(port: Obj, address: str) -> str:
    return f"{_protocol(port)}://{address}:{port['port']}"
