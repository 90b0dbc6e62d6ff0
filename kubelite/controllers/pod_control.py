"""Creates and deletes the nameless pods of ReplicaSets and DaemonSets, with upstream's events."""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.errors import StatusError
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder


class PodControl:
    """Writes for one owner; the first failure ends the work and is raised."""

    def __init__(self, client: Client, recorder: Recorder, owner: Obj) -> None:
        self._client = client
        self._recorder = recorder
        self._owner = owner

    def create(self, pods: Iterable[Obj]) -> None:
        """A namespace that is going away refuses pods without anybody being told."""
        for pod in pods:
            try:
                created = self._client.create("pods", pod)
            except StatusError as error:
                if is_namespace_terminating(error):
                    return
                self._recorder.event(self._owner, "Warning", "FailedCreate", f"Error creating: {error}")
                raise
            self._recorder.event(self._owner, "Normal", "SuccessfulCreate", f"Created pod: {meta.name(created)}")

    def delete(self, pods: Iterable[Obj]) -> None:
        for pod in pods:
            try:
                self._client.delete("pods", meta.namespace(pod), meta.name(pod), uid=meta.uid(pod))
            except StatusError as error:
                if error.reason == "NotFound":
                    continue
                self._recorder.event(self._owner, "Warning", "FailedDelete", f"Error deleting: {error}")
                raise
            self._recorder.event(self._owner, "Normal", "SuccessfulDelete", f"Deleted pod: {meta.name(pod)}")


def is_namespace_terminating(error: StatusError) -> bool:
    causes = error.details.get("causes") or ()
    return any(cause.get("reason") == "NamespaceTerminating" for cause in causes)
