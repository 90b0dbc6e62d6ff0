"""What the status tells a new kubelet of a pod that an earlier one ran. PURE; called by the pod worker."""

from __future__ import annotations

from datetime import datetime

from kubelite.node.runtime import Container
from kubelite.node.view import Health, Waiting, container_entries, is_finished, is_host_network
from kubelite.objects import meta
from kubelite.objects.meta import Obj


def address_before(pod: Obj, sandbox: Container | None) -> str:
    """The address the pod has, or had when its sandbox went away meanwhile: it comes back with it."""
    if sandbox is not None:
        return sandbox.address
    if is_finished(pod) or is_host_network(pod):
        return ""
    return str((pod.get("status") or {}).get("podIP") or "")


def start_before(pod: Obj, container: Container) -> datetime | None:
    """When the status says that this very container started: the engine's own word may be a second beside it."""
    for entry in container_entries(pod):
        running = (entry.get("state") or {}).get("running") or {}
        if entry.get("containerID") == f"docker://{container.id}" and running.get("startedAt"):
            return meta.parse_time(running["startedAt"])
    return container.started_at


def waiting_before(pod: Obj) -> dict[str, Waiting]:
    """What containers wait for, so that the status doesn't flicker until that is found out anew."""
    found = {}
    for entry in container_entries(pod):
        waiting = (entry.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            found[entry["name"]] = Waiting(waiting["reason"], waiting.get("message", ""))
    return found


def health_before(pod: Obj, spec: Obj, container: Container) -> Health:
    """What was known of this very container; of one that the status doesn't know, as if it had just started."""
    for entry in container_entries(pod):
        if entry.get("containerID") == f"docker://{container.id}" and "running" in (entry.get("state") or {}):
            return Health(started=bool(entry.get("started")), ready=bool(entry.get("ready")))
    return Health(started="startupProbe" not in spec)
