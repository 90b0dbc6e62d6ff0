"""What every namespace holds from the start (upstream's `serviceaccounts_controller` and `rootcacertpublisher`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.objects import meta
from kubelite.registry.client import Client, Event, Recorder

ROOT_CA = "kube-root-ca.crt"


class NamespaceFurniture(Controller):
    """The `default` service account and the CA's ConfigMap of each namespace."""

    name = "serviceaccount-controller"

    def __init__(
        self, client: Client, recorder: Recorder, ca_pem: str, now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._ca_pem = ca_pem

    def watches(self) -> Mapping[str, Mapper]:
        return {
            "namespaces": lambda event: [(None, meta.name(event.object))],
            "serviceaccounts": lambda event: self._of(event, "default"),
            "configmaps": lambda event: self._of(event, ROOT_CA),
        }

    @staticmethod
    def _of(event: Event, name: str) -> Iterable[Key]:
        return [(None, meta.namespace(event.object) or "")] if meta.name(event.object) == name else []

    def reconcile(self, key: Key) -> None:
        namespace = self.client.find("namespaces", *key)
        if namespace is None or meta.is_terminating(namespace):
            return
        name = meta.name(namespace)
        if self.client.find("serviceaccounts", name, "default") is None:
            self.client.create("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})
        wanted = {"ca.crt": self._ca_pem}
        present = self.client.find("configmaps", name, ROOT_CA)
        if present is None:
            annotation = {"kubernetes.io/description": "The CA that signs the API server's certificate."}
            metadata = {"name": ROOT_CA, "namespace": name, "annotations": annotation}
            self.client.create("configmaps", {"metadata": metadata, "data": wanted})
        elif present.get("data") != wanted:
            self.client.update("configmaps", {**meta.copy(present), "data": wanted})
