"""What a pod's containers wait for: by name, held by the pod worker."""

from __future__ import annotations

from dataclasses import replace

from kubelite.node.view import Waiting, container_of
from kubelite.objects.meta import Obj


class Waits(dict[str, Waiting]):
    """With the ways to end a wait before its time."""

    def retry_now(self, *reasons: str) -> None:
        """What failed for one of these reasons may work now."""
        for name, waiting in self.items():
            if waiting.reason in reasons:
                self[name] = replace(waiting, retry_at=None)

    def retry_changed(self, old: Obj, new: Obj) -> None:
        """A container may have another image now: what its old one had to wait for counts no more."""
        for name, waiting in self.items():
            if container_of(new, name) != container_of(old, name):
                self[name] = replace(waiting, retry_at=None)
