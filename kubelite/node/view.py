"""What the pure parts look at: a pod, what the engine has of it, and what the kubelet remembers. PURE.

Built by the pod worker before each decision, read by `plan` and `status`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from kubelite.node.runtime import Container
from kubelite.objects import meta
from kubelite.objects.meta import Obj


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container isn't running, and when to try again (None: when something changes)."""

    reason: str
    message: str = ""
    retry_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """Why the kubelet ends a pod before its time; the status says so when nothing of it runs any more."""

    reason: str
    message: str
    grace: int | None = None  # seconds, where it isn't the pod's own
    disruption: str = ""  # the message of a DisruptionTarget condition


@dataclass(frozen=True, slots=True)
class Health:
    """Results of a running container's probes."""

    started: bool = False  # its postStart hook returned and its startup probe, if any, succeeded
    ready: bool = False
    failed: str = ""  # "liveness" or "startup": the probe for whose failure it is to be killed


NO_HEALTH = Health()


@dataclass(frozen=True, slots=True)
class View:
    """One pod at one moment."""

    pod: Obj
    sandboxes: tuple[Container, ...] = ()  # newest first
    containers: Mapping[str, tuple[Container, ...]] = field(default_factory=dict)  # by name, newest first
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    health: Mapping[str, Health] = field(default_factory=dict)  # by container id
    busy: frozenset[str] = frozenset()  # names of containers (or POD) that an action is at work on
    volumes_ready: bool = False
    setup_retry_at: datetime | None = None
    sandbox_retry_at: datetime | None = None
    address: str = ""
    host_address: str = ""
    ending: Ending | None = None
    winding_down: bool = False  # it was found to be done
    replaced: frozenset[str] = frozenset()  # ids of containers that the kubelet ended for others in their place
    hooked: frozenset[str] = frozenset()  # ids of containers whose postStart hook is at work

    @property
    def sandbox(self) -> Container | None:
        return self.sandboxes[0] if self.sandboxes else None

    @property
    def has_running_sandbox(self) -> bool:
        return self.sandbox is not None and self.sandbox.state == "running"

    def latest(self, name: str) -> Container | None:
        found = self.containers.get(name)
        return found[0] if found else None

    def told(self, name: str) -> Container | None:
        """The latest as the status tells of it: it runs once its postStart hook has returned."""
        found = self.latest(name)
        if found is None or found.state != "running" or found.id not in self.hooked:
            return found
        return replace(found, state="created", started_at=None)

    def previous(self, name: str) -> Container | None:
        """The one that ended before the latest."""
        found = self.containers.get(name, ())
        return found[1] if len(found) > 1 else None

    def is_current(self, container: Container | None) -> bool:
        """It was made in the present sandbox."""
        return container is not None and self.sandbox is not None and container.sandbox_id == self.sandbox.id

    def health_of(self, container: Container | None) -> Health:
        return self.health.get(container.id, NO_HEALTH) if container else NO_HEALTH

    def running(self) -> Iterator[Container]:
        for found in self.containers.values():
            yield from (container for container in found if container.state == "running")

    @property
    def is_quiet(self) -> bool:
        """Nothing of the pod runs or is about to."""
        return all(container.state == "exited" for found in self.containers.values() for container in found)


def init_containers(pod: Obj) -> list[Obj]:
    return pod["spec"].get("initContainers") or []


def sidecars(pod: Obj) -> list[Obj]:
    """The init containers that stay."""
    return [container for container in init_containers(pod) if restarts_always(container)]


def regular_containers(pod: Obj) -> list[Obj]:
    return pod["spec"].get("containers") or []


def ephemeral_containers(pod: Obj) -> list[Obj]:
    """Added to a running pod for debugging; they run once."""
    return pod["spec"].get("ephemeralContainers") or []


def all_containers(pod: Obj) -> list[Obj]:
    return [*init_containers(pod), *regular_containers(pod), *ephemeral_containers(pod)]


def container_entries(pod: Obj) -> list[Obj]:
    """What the status says of each container, of all three kinds."""
    status = pod.get("status") or {}
    kinds = ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses")
    return [entry for kind in kinds for entry in status.get(kind) or ()]


def is_sidecar(pod: Obj, name: str) -> bool:
    return any(container["name"] == name for container in sidecars(pod))


def restarts_always(container: Obj) -> bool:
    """An init container with this policy is a sidecar: it runs beside the others for the pod's whole life."""
    return container.get("restartPolicy") == "Always"


def restart_policy(pod: Obj) -> str:
    return str(pod["spec"].get("restartPolicy") or "Always")


def container_of(pod: Obj, name: str) -> Obj | None:
    return next((container for container in all_containers(pod) if container["name"] == name), None)


def field_path(pod: Obj, name: str) -> str:
    """Where events about a container point."""
    kind = "containers"
    for other, found in (("initContainers", init_containers(pod)), ("ephemeralContainers", ephemeral_containers(pod))):
        if any(container["name"] == name for container in found):
            kind = other
    return f"spec.{kind}{{{name}}}"


def full_name(pod: Obj) -> str:
    """`name_namespace(uid)`, as kubelet's messages write a pod."""
    return f"{meta.name(pod)}_{meta.namespace(pod)}({meta.uid(pod)})"


def is_host_network(pod: Obj) -> bool:
    return bool(pod["spec"].get("hostNetwork"))


def is_finished(pod: Obj) -> bool:
    """Its phase is terminal: nothing of it will run again."""
    return (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
