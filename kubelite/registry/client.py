"""The in-process client: the Protocol that controllers, the kubelet and the network parts are written against.

The store is synchronous and lives in the same process, so every call here is synchronous, immediate and consistent:
a read after a write sees the write, nothing changes between two calls without an `await` in between, and controllers
need neither caches nor expectations. Kinds are named by their plural (`pods`, `statefulsets`); `events` is core's.

Objects that come back are shared: treat them as immutable, `meta.copy` before a change.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from kubelite.config import Settings
from kubelite.objects.meta import Obj
from kubelite.objects.selectors import EVERYTHING, Selector
from kubelite.registry.kind import Kind

CUSTOM = "*"  # what a watch calls the objects of all custom kinds; their events name plural and group


@dataclass(frozen=True, slots=True)
class Event:
    """One change: the object as it is now (for DELETED: as it was last) and as it was before (None on ADDED)."""

    type: Literal["ADDED", "MODIFIED", "DELETED"]
    plural: str
    object: Obj
    old: Obj | None


class Client(Protocol):
    """Reads raise nothing but `get`'s NotFound; writes raise StatusError exactly as the HTTP API would answer."""

    settings: Settings
    custom: Sequence[Kind]

    def get(self, plural: str, namespace: str | None, name: str) -> Obj:
        """The object; StatusError NotFound when there is none."""
        ...

    def find(self, plural: str, namespace: str | None, name: str) -> Obj | None:
        """The object or None."""
        ...

    def list(self, plural: str, namespace: str | None = None, selector: Selector = EVERYTHING) -> list[Obj]:
        """All objects of a namespace (None: of all namespaces), ordered by namespace and name."""
        ...

    def create(self, plural: str, obj: Obj) -> Obj:
        """Create; apiVersion and kind may be left out, metadata.generateName works. The stored object comes back."""
        ...

    def update(self, plural: str, obj: Obj, subresource: str = "") -> Obj:
        """Replace spec and metadata, or with subresource "status" the status alone.

        A resourceVersion in `obj` must be current (else Conflict); no change at all writes nothing.
        """
        ...

    def patch(self, plural: str, namespace: str | None, name: str, patch: Obj, subresource: str = "") -> Obj:
        """JSON merge patch (RFC 7386)."""
        ...

    def delete(
        self,
        plural: str,
        namespace: str | None,
        name: str,
        *,
        uid: str | None = None,
        grace: int | None = None,
        propagation: Literal["Background", "Foreground", "Orphan"] | None = None,
    ) -> Obj:
        """Delete as the API does: grace periods (pods), finalizers and propagation apply. grace=0 removes at once."""
        ...

    def bind(self, pod: Obj, node: str) -> Obj:
        """pods/binding: set spec.nodeName and the PodScheduled condition."""
        ...

    def finalize(self, namespace: Obj) -> Obj:
        """namespaces/finalize: replace spec.finalizers."""
        ...

    def watch(self, plurals: Iterable[str]) -> AsyncIterator[Event]:
        """Changes from now on, in order, of several kinds; ends when the registry closes. Subscribes at the call."""
        ...


class Recorder(Protocol):
    """Writes Events; repeated ones are counted up, never raises."""

    def event(
        self, about: Obj, type: Literal["Normal", "Warning"], reason: str, message: str, field_path: str = ""
    ) -> None:
        """`about` is the object; `field_path` e.g. `spec.containers{web}`."""
        ...
