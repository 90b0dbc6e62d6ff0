"""fieldRef and resourceFieldRef: values of the downward API. PURE; used by environment variables and volumes.

Follows upstream's `pkg/fieldpath` and `pkg/api/v1/resource`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal

from kubelite.node.view import container_of
from kubelite.objects import meta, quantity
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Machine:
    """What the node offers: where a container without a limit may go."""

    cpus: int
    memory: int
    storage: int = 0


UNKNOWN_MACHINE = Machine(1, 0)


class UnsupportedField(Exception):
    """The path names nothing that the downward API offers."""


_SUBSCRIPT = re.compile(r"metadata\.(annotations|labels)\['(.*)'\]")


def field_value(pod: Obj, path: str, pod_address: str, host_address: str, node: str) -> str:
    """The value of a fieldRef."""
    if found := _SUBSCRIPT.fullmatch(path):
        return str((pod["metadata"].get(found[1]) or {}).get(found[2], ""))
    values = {
        "metadata.name": meta.name(pod),
        "metadata.namespace": meta.namespace(pod) or "",
        "metadata.uid": meta.uid(pod),
        "metadata.labels": _format_map(meta.labels(pod)),
        "metadata.annotations": _format_map(meta.annotations(pod)),
        "spec.nodeName": node,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName") or "",
        "status.hostIP": host_address,
        "status.hostIPs": host_address,
        "status.podIP": pod_address,
        "status.podIPs": pod_address,
    }
    if path not in values:
        raise UnsupportedField(f"unsupported fieldPath: {path}")
    return str(values[path])


def _format_map(entries: Mapping[str, str]) -> str:
    return "\n".join(f"{key}={_quote(value)}" for key, value in sorted(entries.items()))


_ESCAPES = dict(zip('\a\b\f\n\r\t\v\\"', ("\\" + letter for letter in 'abfnrtv\\"'), strict=True))


def _quote(value: str) -> str:
    """As Go's %q has it."""
    return f'"{"".join(map(_quoted, value))}"'


def _quoted(character: str) -> str:
    if character in _ESCAPES or character.isprintable():
        return _ESCAPES.get(character, character)
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def resource_value(pod: Obj, ref: Obj, default_container: str, machine: Machine) -> str:
    """The value of a resourceFieldRef, rounded up to its divisor."""
    container = container_of(pod, ref.get("containerName") or default_container)
    if container is None:
        raise UnsupportedField(f"container {ref.get('containerName')} not found")
    kind, _, resource = str(ref["resource"]).partition(".")
    resources = container.get("resources") or {}
    value = (resources.get(kind) or {}).get(resource)
    if value is None and kind == "limits":
        value = {"cpu": machine.cpus, "memory": machine.memory, "ephemeral-storage": machine.storage}.get(resource)
    divisor = quantity.parse(ref.get("divisor") or "1") or Decimal(1)
    return str(int((quantity.parse(value or 0) / divisor).to_integral_value(ROUND_CEILING)))
