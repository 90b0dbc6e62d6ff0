"""Keeps the objects that the API server itself stands for: the system namespaces, the Service `kubernetes` and its
endpoints. After upstream's `controlplane/controller/kubernetesservice`, its endpoint reconcilers and `systemnamespaces`:
a Service or namespace is only made anew when it is missing, endpoints are put right too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime

from kubelite.controllers.runtime import Controller, Key, Mapper
from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder

KINDS = ("namespaces", "services", "endpoints", "endpointslices")
_CORRECTED = ("subsets", "endpoints", "ports")  # fields of Endpoints and EndpointSlices
_ALL: Key = (None, "all")
RETRY = 1.0


class ApiserverObjects(Controller):
    """`objects` are (plural, object) in the order in which they can be created."""

    name = "apiserver-objects"

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        objects: Iterable[tuple[str, Obj]],
        now: Callable[[], datetime] | None = None,
    ) -> None:
        super().__init__(client, recorder, now)
        self._objects = [(plural, obj) for plural, obj in objects if plural in KINDS]
        self._names = {(plural, meta.namespace(obj), meta.name(obj)) for plural, obj in self._objects}

    def watches(self) -> Mapping[str, Mapper]:
        return dict.fromkeys(KINDS, self._if_ours)

    def _if_ours(self, event: Event) -> Iterable[Key]:
        about = (event.plural, meta.namespace(event.object), meta.name(event.object))
        return [_ALL] if about in self._names else []

    def reconcile(self, key: Key) -> float | None:
        """A namespace that is still being emptied refuses what belongs into it; then try again."""
        held_up = False
        for plural, wanted in self._objects:
            try:
                self._ensure(plural, wanted)
            except StatusError:
                held_up = True
        return RETRY if held_up else None

    def _ensure(self, plural: str, wanted: Obj) -> None:
        present = self.client.find(plural, meta.namespace(wanted), meta.name(wanted))
        if present is None:
            self.client.create(plural, wanted)
        elif plural in ("endpoints", "endpointslices"):
            right = {field: wanted[field] for field in _CORRECTED if field in wanted}
            if any(present.get(field) != value for field, value in right.items()):
                self.client.update(plural, {**meta.copy(present), **right})
