"""What a pod's environment and its volumes draw on. Held by the pod's disk.

Immutable ConfigMaps and Secrets stay as the pod met them, though others of their names have come: upstream's kubelet
(`util/manager/watch_based_manager.go`) doesn't look at them again.
"""

from __future__ import annotations

from kubelite.node.environment import Surroundings
from kubelite.node.services import Services
from kubelite.objects import meta
from kubelite.objects.meta import Obj


class PodSources:
    """One pod's."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._kept: dict[tuple[str, str], Obj] = {}

    def around(self, pod: Obj, address: str) -> Surroundings:
        services, namespace = self._services, meta.namespace(pod)
        kubernetes = services.client.find("services", "default", "kubernetes")
        return Surroundings(
            find=lambda plural, name: self._found(plural, namespace, name),
            services=[*services.client.list("services", namespace), *([kubernetes] if kubernetes else [])],
            pod_address=address or services.host_address,
            host_address=services.host_address,
            node=services.settings.node_name,
            machine=services.machine,
        )

    def _found(self, plural: str, namespace: str | None, name: str) -> Obj | None:
        if (kept := self._kept.get((plural, name))) is not None:
            return kept
        found = self._services.client.find(plural, namespace, name)
        if found is not None and found.get("immutable"):
            self._kept[plural, name] = found
        return found
