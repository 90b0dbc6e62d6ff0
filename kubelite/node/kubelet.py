"""The kubelet: pods bound to this node become containers, and what becomes of those becomes the pods' status.

Made and run by the composition root. It keeps a worker per pod and wakes them: by the API's watch for pods, their
ConfigMaps, Secrets and claims, by the engine's event stream for containers. Nothing is polled; a slow relist catches
what an event stream might lose. What runs when it starts is adopted, what belongs to no pod is removed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from kubelite.config import Settings
from kubelite.node import eviction, memory_volumes, shutdown
from kubelite.node.admission import Rejection, admit
from kubelite.node.fields import Machine
from kubelite.node.images import Images
from kubelite.node.node_health import NodeHealth
from kubelite.node.pod_worker import PodWorker
from kubelite.node.preemption import PREEMPTED, victims
from kubelite.node.runtime import DISK_TOTAL, Container, EngineError, EngineEvent, Runtime
from kubelite.node.services import Addresses, Services, TokenProvider
from kubelite.node.view import all_containers, is_finished
from kubelite.node.volume_payload import references
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Event, Recorder

log = logging.getLogger(__name__)

RELIST = 60.0
DISK_LOOK = 10.0
ENGINE_RETRY = 1.0
WORKER_RETRY = 1.0
REJECT_AGAIN = 1.0  # pods of one name are turned away at most this often: who makes them does so at once
WATCHED = ("pods", "configmaps", "secrets", "persistentvolumeclaims")


class Kubelet:
    """`run` until cancelled; `ready` once what ran before is adopted."""

    def __init__(
        self,
        client: Client,
        recorder: Recorder,
        runtime: Runtime,
        settings: Settings,
        *,
        pause_image: str,
        cluster_dns: Callable[[], str],
        token: TokenProvider,
        addresses: Addresses,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        images = Images(client, recorder, runtime, now)
        self._services = Services(
            client, recorder, runtime, settings, addresses, images, pause_image, cluster_dns, token, now
        )
        self._client = client
        self._health = NodeHealth(client, recorder, runtime, settings, now, self._renew_sandboxes)
        self._runtime = runtime
        self._settings = settings
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._looks: set[asyncio.Task[None]] = set()
        self._held: dict[str, Obj] = {}  # critical pods for which others are being ended
        self._rejected_at: dict[tuple[str | None, str], float] = {}
        self.ready = False
        self._shutting_down = False

    async def run(self) -> None:
        """Until cancelled. Containers go on running when it ends."""
        changes = self._client.watch(WATCHED)
        engine = self._runtime.events()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._follow_engine(engine), name="engine events")
                group.create_task(self._relist_slowly(), name="relist")
                group.create_task(self._health.run(), name="node health")
                group.create_task(self._watch_disk_use(), name="disk use")
                async for change in changes:
                    self._changed(change)
        finally:
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def container_id(self, pod: Obj, container: str, *, previous: bool = False) -> str:
        """The engine's id of a container, for exec, attach and logs; KeyError when there is none."""
        worker = self._workers.get(meta.uid(pod))
        found = worker.records.by_name().get(container, ()) if worker else ()
        wanted = found[1:] if previous else found
        if not wanted:
            raise KeyError(container)
        return wanted[0].id

    def sandbox_id(self, pod: Obj) -> str:
        """The engine's id of the container that holds the pod's network; "" while there is none."""
        worker = self._workers.get(meta.uid(pod))
        sandbox = worker.sandbox() if worker else None
        return sandbox.id if sandbox else ""

    def running_containers(self, pod: Obj) -> dict[str, str]:
        """The engine's ids of what runs in the pod, by container name."""
        worker = self._workers.get(meta.uid(pod))
        return {container.name: container.id for container in worker.records.running()} if worker else {}

    async def shut_down(self) -> None:
        """End every pod that isn't critical to the node, and begin none any more. `run` must be under way."""
        self._shutting_down = True
        await shutdown.shut_down(self._workers.values())

    # --- the API's side ----------------------------------------------------------------------------------------------

    def _changed(self, change: Event) -> None:
        if change.plural != "pods":
            self._wake_readers(change)
            return
        if change.type == "DELETED" or is_finished(change.object):
            held, self._held = self._held, {}
            for pod in held.values():
                self._reconsider(pod)
        worker = self._workers.get(meta.uid(change.object))
        if worker is not None:
            if change.type == "MODIFIED" and change.old and _shown(change.old) != _shown(change.object):
                worker.sources_changed()
            if change.old and change.old["spec"] != change.object["spec"]:
                worker.spec_changed(change.old)
            worker.wake()
        elif self.ready and not self._shutting_down and change.type != "DELETED" and self._is_ours(change.object):
            self._begin_if_admitted(change.object)

    def _is_ours(self, pod: Obj) -> bool:
        return bool(pod["spec"].get("nodeName") == self._settings.node_name)

    def _wake_readers(self, change: Event) -> None:
        """Pods that show a ConfigMap or Secret, or that wait for a claim."""
        about = (change.plural, meta.name(change.object))
        for worker in self._workers.values():
            pod = worker.pod()
            if pod is not None and worker.namespace == meta.namespace(change.object) and about in _sources(pod):
                worker.sources_changed()

    def _begin_if_admitted(self, pod: Obj) -> None:
        """A pod that was taken once, or is to go, isn't asked for again."""
        rejection = None
        if not (pod.get("status") or {}).get("startTime") and not is_finished(pod) and not meta.is_terminating(pod):
            rejection = self._rejection(pod)
            if rejection is not None and self._make_room(pod, rejection):
                self._held[meta.uid(pod)] = pod
                return
        key, loop = (meta.namespace(pod), meta.name(pod)), asyncio.get_running_loop()
        if rejection is not None:
            wait = self._rejected_at.get(key, 0) + REJECT_AGAIN - loop.time()
            if key in self._rejected_at and wait > 0:
                loop.call_later(wait, self._reconsider, pod)
                return
            self._rejected_at = {k: at for k, at in self._rejected_at.items() if at + REJECT_AGAIN > loop.time()}
            self._rejected_at[key] = loop.time()
            self._services.recorder.event(pod, "Warning", rejection.reason, rejection.message)
        self._begin(pod, (), rejection)

    def _reconsider(self, pod: Obj) -> None:
        found = self._client.find("pods", meta.namespace(pod), meta.name(pod))
        if found is not None and meta.uid(found) == meta.uid(pod) and meta.uid(pod) not in self._workers:
            self._begin_if_admitted(found)

    def _rejection(self, pod: Obj) -> Rejection | None:
        node = self._client.find("nodes", None, self._settings.node_name)
        return admit(pod, node, self._others(pod)) if node is not None else None

    def _make_room(self, pod: Obj, rejection: Rejection) -> bool:
        """End others for a critical pod, which begins when they have ended; False where that is of no use."""
        node = self._client.get("nodes", None, self._settings.node_name)
        doomed = victims(pod, node, self._others(pod), rejection)
        for victim in doomed:
            self._workers[meta.uid(victim)].end_early(PREEMPTED)
        return bool(doomed)

    def _others(self, pod: Obj) -> list[Obj]:
        known = (worker.pod() for uid, worker in self._workers.items() if uid != meta.uid(pod))
        return [other for other in known if other is not None and not is_finished(other)]

    def _begin(self, pod: Obj, containers: Iterable[Container], rejection: Rejection | None = None) -> None:
        uid = meta.uid(pod)
        before = next(
            (
                w
                for w in reversed(self._workers.values())
                if (w.namespace, w.name) == (meta.namespace(pod), meta.name(pod))
            ),
            None,
        )
        worker = self._workers[uid] = PodWorker(self._services, pod, containers, before, rejection)
        self._tasks[uid] = asyncio.get_running_loop().create_task(self._work(worker), name=f"pod {worker.name}")

    async def _work(self, worker: PodWorker) -> None:
        """Until the pod is gone. A worker that fails is replaced by one that adopts what runs, as after a restart."""
        try:
            while not await self._run(worker):
                await asyncio.sleep(WORKER_RETRY)
                worker = self._workers[worker.uid] = worker.successor(await self._adoptable(worker.uid))
        finally:
            del self._workers[worker.uid], self._tasks[worker.uid]

    @staticmethod
    async def _run(worker: PodWorker) -> bool:
        try:
            await worker.run()
        except Exception:
            log.exception("pod %s/%s: its worker failed", worker.namespace, worker.name)
            return False
        return True

    async def _adoptable(self, uid: str) -> list[Container]:
        """The pod's containers as the engine has them; unfinished beginnings are removed."""
        while True:
            try:
                found = [container for container in await self._runtime.containers() if container.pod_uid == uid]
                await self._remove(container for container in found if container.state == "created")
            except EngineError as error:
                log.info("the engine's containers can't be listed: %s", error)
                await asyncio.sleep(ENGINE_RETRY)
            else:
                return [container for container in found if container.state != "created"]

    # --- the engine's side -------------------------------------------------------------------------------------------

    async def _follow_engine(self, engine: AsyncIterator[EngineEvent]) -> None:
        async for event in engine:
            await self._engine_event(event)

    async def _engine_event(self, event: EngineEvent) -> None:
        if event.kind in ("lost", "resync"):
            self._health.look()
        if event.kind == "resync":
            await self._resync_surely()
            return
        worker = next((w for w in self._workers.values() if w.records.get(event.container_id)), None)
        if worker is None:
            return
        if event.kind == "destroy":
            worker.forgotten(event.container_id)
        elif event.kind == "die":
            self._look(worker, event.container_id)

    def _look(self, worker: PodWorker, container_id: str) -> None:
        """Find out what the engine has to say of a container now."""

        async def look() -> None:
            try:
                found = await self._runtime.inspect(container_id)
            except EngineError as error:
                log.info("inspect %s: %s", container_id[:12], error)
                return
            if found is None:
                worker.forgotten(container_id)
            else:
                worker.observed(found)

        task = asyncio.get_running_loop().create_task(look(), name=f"look {container_id[:12]}")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _renew_sandboxes(self) -> None:
        """Those that there are hang on a network that is no more."""
        found = [worker.sandbox() for worker in self._workers.values()]
        for sandbox in found:
            if sandbox is not None and sandbox.state == "running":
                with contextlib.suppress(EngineError):  # which may be going away too
                    await self._runtime.kill(sandbox.id, "SIGKILL")

    async def _relist_slowly(self) -> None:
        while True:
            await asyncio.sleep(RELIST)
            if self.ready:
                await self._resync_surely()

    async def _watch_disk_use(self) -> None:
        while True:
            await asyncio.sleep(DISK_LOOK)
            for worker in list(self._workers.values()):
                pod = worker.pod()
                if pod is not None and not is_finished(pod) and eviction.is_limited(pod):
                    await self._check_disk_use(worker, pod)

    async def _check_disk_use(self, worker: PodWorker, pod: Obj) -> None:
        try:
            running = self.running_containers(pod)
            used = await eviction.measured(self._runtime, pod, worker.disk.empty_dirs(pod), running)
        except EngineError as error:
            log.info("pod %s/%s: its use of the disk: %s", worker.namespace, worker.name, error)
            return
        if ending := eviction.overrun(pod, used):
            worker.end_early(ending)

    async def _resync_surely(self) -> None:
        while True:
            try:
                return await self._resync()
            except EngineError as error:
                log.info("the engine's containers can't be listed: %s", error)
                await asyncio.sleep(ENGINE_RETRY)

    async def _resync(self) -> None:
        """Compare with all that the engine has; the first time, adopt it."""
        if self._shutting_down:
            return  # whose worker has ended isn't an orphan
        if not self.ready:
            info = await self._runtime.info()
            storage = int(info.get(DISK_TOTAL) or 0)
            self._services.machine = Machine(int(info.get("NCPU") or 1), int(info.get("MemTotal") or 0), storage)
        by_pod: dict[str, list[Container]] = defaultdict(list)
        for container in await self._runtime.containers():
            self._services.engine_names.add(container.engine_name)
            by_pod[container.pod_uid].append(container)
        if self.ready:
            for worker in self._workers.values():
                for missing in worker.resynced(by_pod.pop(worker.uid, ())):
                    self._look(worker, missing)
        else:
            # A container of a pod that was replaced must be gone before the one of its name starts.
            await self._remove(self._take_leftovers(by_pod))
            self._adopt(by_pod)
        await self._remove(chain.from_iterable(by_pod.values()))

    def _take_leftovers(self, by_pod: dict[str, list[Container]]) -> list[Container]:
        """Take out what isn't to be adopted: unfinished beginnings and what belongs to pods that are no more."""
        ours = {meta.uid(pod) for pod in self._client.list("pods") if self._is_ours(pod)}
        found = [c for c in chain.from_iterable(by_pod.values()) if c.state == "created" or c.pod_uid not in ours]
        for container in found:
            by_pod[container.pod_uid].remove(container)
        return found

    def _adopt(self, by_pod: dict[str, list[Container]]) -> None:
        """Every pod of the node gets its worker and what already runs of it."""
        new = []
        for pod in self._client.list("pods"):
            if not self._is_ours(pod):
                continue
            if (pod.get("status") or {}).get("startTime"):
                self._begin(pod, by_pod.pop(meta.uid(pod), ()))
            else:
                new.append(pod)
        for pod in sorted(new, key=lambda pod: str(pod["metadata"]["creationTimestamp"])):
            self._begin_if_admitted(pod)
        self._sweep(self._settings.pods)
        self._sweep(memory_volumes.directory_of(self._settings.name))
        self.ready = True

    def _sweep(self, root: Path) -> None:
        """Directories of pods that are no more."""
        for path in root.iterdir() if root.is_dir() else ():
            if path.name not in self._workers:
                memory_volumes.remove(path)

    async def _remove(self, orphans: Iterable[Container]) -> None:
        """Containers of this cluster that no worker knows."""
        doomed = list(orphans)
        await asyncio.gather(*(self._runtime.remove(container.id) for container in doomed))
        self._services.engine_names -= {container.engine_name for container in doomed}


def _shown(pod: Obj) -> tuple[object, object]:
    """What downward API volumes may show and what may change."""
    return pod["metadata"].get("labels"), pod["metadata"].get("annotations")


def _sources(pod: Obj) -> set[tuple[str, str]]:
    """(plural, name) of every object that the pod's volumes and environment draw on."""
    found = references(pod)
    for volume in pod["spec"].get("volumes") or ():
        if claim := volume.get("persistentVolumeClaim"):
            found.add(("persistentvolumeclaims", claim["claimName"]))
        if "ephemeral" in volume:
            found.add(("persistentvolumeclaims", f"{meta.name(pod)}-{volume['name']}"))
    for container in all_containers(pod):
        for source in [
            *(container.get("envFrom") or ()),
            *((e.get("valueFrom") or {}) for e in container.get("env") or ()),
        ]:
            for key, plural in _ENVIRONMENT_SOURCES.items():
                if ref := source.get(key):
                    found.add((plural, ref.get("name", "")))
    return found


_ENVIRONMENT_SOURCES = {
    "configMapRef": "configmaps",
    "secretRef": "secrets",
    "configMapKeyRef": "configmaps",
    "secretKeyRef": "secrets",
}
