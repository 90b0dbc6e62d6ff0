"""What the tests of real software with replicas share: its image, its pods, the end of what happened to them."""

from __future__ import annotations

import io
import tarfile
from contextlib import closing
from pathlib import Path

from kubelite.engine import builder
from kubelite.engine.find import Endpoint, connect
from kubelite.engine.images import TOOLS
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.testing.conditions import ready
from kubelite.testing.namespace import Namespace


def build_image(endpoint: Endpoint, folder: Path, image: str) -> None:
    """From Debian's packages; the engine's cache has it the next time."""
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        archive.add(folder, ".")
    context.seek(0)
    with closing(connect(endpoint)) as client:
        builder.build(client, folder.name, context, image, {"BASE": TOOLS}, {"kubelite.test": folder.name}, print)


class ReplicatedSet:
    """A StatefulSet whose pods are labelled `app: <its name>`, and its pods' claims."""

    def __init__(self, kubelite: Namespace, name: str) -> None:
        self._kubelite = kubelite
        self.name = name

    def pods(self) -> dict[str, Obj]:
        return {meta.name(pod): pod for pod in self._kubelite.list("pods", f"app={self.name}")}

    def volumes(self) -> dict[str, str]:
        return {
            meta.name(claim): claim["spec"]["volumeName"] for claim in self._kubelite.list("persistentvolumeclaims")
        }

    def wait(self) -> None:
        self._kubelite.wait("statefulsets", self.name)

    def wait_replaced(self, before: dict[str, Obj], *names: str) -> None:
        """Until there are other pods of these names, and all are ready."""
        for name in names:

            def is_new_and_ready(pod: Obj, old: str = meta.uid(before[name])) -> bool:
                return meta.uid(pod) != old and ready(pod)

            self._kubelite.wait("pods", name, is_new_and_ready)
        self.wait()

    def restart(self) -> None:
        before = self.pods()
        self._kubelite.kubectl("rollout", "restart", f"statefulset/{self.name}")
        status = self._kubelite.kubectl("rollout", "status", f"statefulset/{self.name}", "--timeout=60s")
        assert "roll out complete" in status.stdout
        self.wait_replaced(before, *before)

    def scale_to_none(self) -> None:
        before = self.pods()
        self._scale(0)
        for name in before:
            self._kubelite.wait("pods", name, "deleted")

    def scale_back(self) -> None:
        self._scale(len(self.volumes()))
        self.wait()

    def restarts(self) -> list[int]:
        return [pod["status"]["containerStatuses"][0]["restartCount"] for pod in self.pods().values()]

    def _scale(self, replicas: int) -> None:
        self._kubelite.kubectl("scale", f"statefulset/{self.name}", f"--replicas={replicas}")
