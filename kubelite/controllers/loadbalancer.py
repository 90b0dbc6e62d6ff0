"""Services of type LoadBalancer get the node's address, as k3s gives it; two that want one port can't both have it.

Reasons of events are those of upstream's `controllers/service`; a Service with a loadBalancerClass is somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder


class LoadBalancerController(Controller):
    name = "service-lb"

    def __init__(self, client: Client, recorder: Recorder, address: str) -> None:
        super().__init__(client, recorder)
        self._address = address

    def watches(self) -> Mapping[str, Mapper]:
        return {"services": self._concerned}

    def _concerned(self, event: Event) -> Iterable[Key]:
        """The Service itself; those that wait may have their turn when one changes or goes."""
        yield key_of(event.object)
        if event.old is not None and is_ours(event.old):
            yield from (key_of(other) for other in self._services() if not ingress(other))

    def _services(self) -> list[Obj]:
        return [service for service in self.client.list("services") if is_ours(service)]

    def reconcile(self, key: Key) -> None:
        service = self.client.find("services", *key)
        if service is None or not is_ours(service) or meta.is_terminating(service):
            return
        others = [other for other in self._services() if key_of(other) != key and ingress(other)]
        rival = next((other for other in others if ports(other) & ports(service)), None)
        wanted = [] if rival else [{"ip": self._address, "ipMode": "VIP"}]
        if ingress(service) != wanted:
            balancer = {"ingress": wanted} if wanted else {}
            status = {**(service.get("status") or {}), "loadBalancer": balancer}
            self.client.update("services", {**meta.copy(service), "status": status}, "status")
            if wanted:
                self.recorder.event(service, "Normal", "EnsuredLoadBalancer", "Ensured load balancer")
        if rival:
            shared = ", ".join(f"{number}/{protocol}" for protocol, number in sorted(ports(rival) & ports(service)))
            holder = f"{meta.namespace(rival)}/{meta.name(rival)}"
            message = f"Error syncing load balancer: port {shared} of {self._address} belongs to Service {holder}"
            self.recorder.event(service, "Warning", "SyncLoadBalancerFailed", message)


def is_ours(service: Obj) -> bool:
    return service["spec"].get("type") == "LoadBalancer" and not service["spec"].get("loadBalancerClass")


def ports(service: Obj) -> set[tuple[str, int]]:
    return {(port["protocol"], port["port"]) for port in service["spec"].get("ports") or ()}


def ingress(service: Obj) -> list[Obj]:
    return list(((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ())
