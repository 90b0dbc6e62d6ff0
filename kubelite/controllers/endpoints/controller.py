"""The EndpointSlice and Endpoints controllers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from kubelite.controllers.endpoints import slices, subsets
from kubelite.controllers.endpoints.members import has_selector, members, selects
from kubelite.controllers.runtime import Controller, Key, Mapper, key_of, own
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import from_labels
from kubelite.registry.client import Event


class _OfServices(Controller):
    """What both have in common: a pod's change concerns the Services that select it, then and now."""

    def _of_pod(self, event: Event) -> Iterable[Key]:
        if event.old is not None and _shown(event.old) == _shown(event.object):
            return []
        pods = [pod for pod in (event.object, event.old) if pod is not None]
        services = self.client.list("services", meta.namespace(event.object))
        return [key_of(service) for service in services if any(selects(service, pod) for pod in pods)]

    def _pods(self, service: Obj) -> list[Obj]:
        return self.client.list("pods", meta.namespace(service), from_labels(service["spec"]["selector"]))


def _shown(pod: Obj) -> object:
    """All of a pod that endpoints show."""
    status, spec = pod.get("status", {}), pod["spec"]
    return (
        meta.labels(pod),
        status.get("podIP"),
        status.get("phase") in ("Succeeded", "Failed"),
        meta.condition_is_true(status.get("conditions"), "Ready"),
        meta.is_terminating(pod),
        spec.get("nodeName"),
        spec.get("hostname"),
        spec.get("subdomain"),
    )


class EndpointSliceController(_OfServices):
    name = "endpointslice-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"services": own, "pods": self._of_pod, "endpointslices": self._of_slice}

    @staticmethod
    def _of_slice(event: Event) -> Iterable[Key]:
        labels = meta.labels(event.object)
        if labels.get(slices.MANAGED_BY) != slices.MANAGER or slices.SERVICE_NAME not in labels:
            return []
        return [(meta.namespace(event.object), labels[slices.SERVICE_NAME])]

    def reconcile(self, key: Key) -> None:
        service = self.client.find("services", *key)
        if service is None or not has_selector(service) or meta.is_terminating(service):
            return
        mine = from_labels({slices.SERVICE_NAME: key[1], slices.MANAGED_BY: slices.MANAGER})
        present = self.client.list("endpointslices", key[0], mine)
        plan = slices.plan(service, members(service, self._pods(service)), present)
        try:
            for one in plan.update:
                self.client.update("endpointslices", one)
            for one in plan.create:
                self.client.create("endpointslices", one)
            for one in plan.delete:
                self.client.delete("endpointslices", key[0], meta.name(one))
        except StatusError as error:
            message = f"Error updating Endpoint Slices for Service {key[0]}/{key[1]}: {error}"
            self.recorder.event(service, "Warning", "FailedToUpdateEndpointSlices", message)
            raise


class EndpointsController(_OfServices):
    name = "endpoints-controller"

    def watches(self) -> Mapping[str, Mapper]:
        return {"services": own, "pods": self._of_pod, "endpoints": self._of_deleted}

    @staticmethod
    def _of_deleted(event: Event) -> Iterable[Key]:
        return [key_of(event.object)] if event.type == "DELETED" else []

    def reconcile(self, key: Key) -> None:
        service = self.client.find("services", *key)
        present = self.client.find("endpoints", *key)
        if service is None:
            if present is not None:
                self.client.delete("endpoints", *key)
            return
        if not has_selector(service):
            return
        wanted = subsets.endpoints(service, members(service, self._pods(service)), present)
        if present is None:
            self.client.create("endpoints", wanted)
        elif wanted != present:
            self.client.update("endpoints", wanted)
