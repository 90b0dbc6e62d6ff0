"""The ResourceQuota controller: writes into each quota's status what is used of it (upstream's `resourcequota`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper, key_of
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import CUSTOM, Client, Event, Recorder
from kubelite.registry.kind import Kind
from kubelite.registry.kinds.resourcequota_usage import used

_UNCOUNTED = ("events", "events.events.k8s.io")
_UNWATCHED = ("events", "leases")  # too many to follow


class ResourceQuotaController(Controller):
    """Everything in a namespace may count."""

    name = "resourcequota-controller"

    def __init__(
        self, client: Client, recorder: Recorder, kinds: Iterable[Kind], now: Callable[[], datetime] | None = None
    ) -> None:
        super().__init__(client, recorder, now)
        self._plurals = {kind.plural for kind in kinds if kind.namespaced and kind.plural not in _UNWATCHED}

    def watches(self) -> Mapping[str, Mapper]:
        new_kinds = {"customresourcedefinitions": lambda event: self.initial()}
        return dict.fromkeys([*self._plurals, CUSTOM], self._quotas) | new_kinds

    def initial(self) -> Iterable[Key]:
        return map(key_of, self.client.list("resourcequotas"))

    def _quotas(self, event: Event) -> Iterable[Key]:
        return map(key_of, self.client.list("resourcequotas", meta.namespace(event.object)))

    def reconcile(self, key: Key) -> None:
        quota = self.client.find("resourcequotas", *key)
        if quota is None:
            return
        hard = quota["spec"].get("hard") or {}
        counted = used(quota, hard, self._objects, self.now())
        status = {"hard": hard, "used": {name: str(amount) for name, amount in counted.items()}} if hard else {}
        if status != quota.get("status"):
            self.client.update("resourcequotas", quota | {"status": status}, "status")

    def _objects(self, resource: str, namespace: str | None) -> list[Obj] | None:
        """A quota may name objects that this cluster doesn't have, or doesn't have yet."""
        try:
            return self.client.list(resource, namespace) if resource not in _UNCOUNTED else None
        except LookupError:
            return None
