"""One pod's worker: looks, plans, acts, publishes the status, and sleeps until something changes.

Started by the kubelet for each pod of the node, woken by changes of the pod and of what its volumes show, by engine
events, probe results and timers. Each action of the plan runs as a task of its own; the plan knows which are at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from kubelite.errors import StatusError
from kubelite.node import actions, shutdown, termination
from kubelite.node import plan as planning
from kubelite.node.admission import Rejection, rejected_status
from kubelite.node.adoption import address_before, health_before, start_before, waiting_before
from kubelite.node.pod_disk import PodDisk
from kubelite.node.pod_tasks import ActionTasks
from kubelite.node.probes import Prober, Probers, Subject
from kubelite.node.records import Records
from kubelite.node.runtime import Container, EngineError
from kubelite.node.services import Services, Signal
from kubelite.node.status import PAST_DEADLINE, active_deadline, pod_status
from kubelite.node.termination_message import wants_logs_as_message, with_logs_as_message, with_message
from kubelite.node.view import Ending, Health, View, container_of, is_finished
from kubelite.node.waits import Waits
from kubelite.objects import meta
from kubelite.objects.meta import Obj

log = logging.getLogger(__name__)

T = TypeVar("T")

WRITE_RETRY = 1.0


class PodWorker:
    """`run` ends when the pod is gone from the API and from the engine."""

    def __init__(
        self,
        services: Services,
        pod: Obj,
        containers: Iterable[Container],
        before: PodWorker | None,
        rejection: Rejection | None = None,
    ) -> None:
        self.services = services
        self.namespace, self.name, self.uid = meta.namespace(pod) or "", meta.name(pod), meta.uid(pod)
        self.disk = PodDisk(services, self.uid)
        self.records = Records(containers)
        self.signal = Signal()
        self.address = ""
        self.stopping = False
        self.winding_down = False  # all that ever had to run has run
        self.halted = asyncio.Event()  # it has ended for the shutdown of its node
        self.dead = asyncio.Event()  # no container of this pod runs, and none will again
        self.tasks = ActionTasks(f"{self.namespace}/{self.name}", self.wake)
        self.waiting = Waits()
        self.hooked: set[str] = set()
        self.sandbox_retry_at: datetime | None = None
        self.ending: Ending | None = None
        self._before = before
        self._halting = False
        self._rejection = rejection
        self._last = pod
        self._probers = Probers()
        self._replaced: set[str] = set()
        self._grace = termination.GraceClock(services.now)
        self._adopt(pod)

    # --- what others tell it -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        self.signal.notify()

    def sources_changed(self) -> None:
        """An object that the pod's volumes, environment or claims show has changed: try at once what failed."""
        self.disk.sources_changed()
        self.waiting.retry_now("CreateContainerConfigError")
        self.wake()

    def spec_changed(self, old: Obj) -> None:
        self.waiting.retry_changed(old, self.last)

    def end_early(self, ending: Ending) -> None:
        """End the pod, which fails for that reason."""
        pod = self.pod()
        if pod is None or self.ending is not None or self.stopping or is_finished(pod):
            return
        self.ending = ending
        self.services.recorder.event(pod, "Warning", ending.reason, ending.message)
        self.wake()

    def observed(self, container: Container) -> None:
        """The engine's present word on one of the pod's containers."""
        if container.state == "exited":
            self._ended(container)
            return
        self.records.put(container)
        self.wake()

    def _ended(self, container: Container) -> None:
        if not self.stopping:
            self._probers.stop(container.id)
        known = self.records.get(container.id)
        if known is not None and known.state == "exited":
            return
        container = with_message(container)
        if wants_logs_as_message(self._last, container):
            self.tasks.spawn(f"tail:{container.id}", self._tail(container))
        else:
            self.records.put(container)
            self.wake()

    async def _tail(self, container: Container) -> None:
        """That the container ended is told together with its last words."""
        with contextlib.suppress(EngineError):
            container = await with_logs_as_message(self.services.runtime, container)
        self.records.put(container)

    def forgotten(self, container_id: str) -> None:
        """The container doesn't exist any more."""
        gone = self.records.discard(container_id)
        if gone is not None:
            self.services.engine_names.discard(gone.engine_name)
        self._probers.stop(container_id)
        self.wake()

    def resynced(self, containers: Iterable[Container]) -> list[str]:
        """All that the engine had of this pod a moment ago; back come the ids that it didn't mention."""
        found = {container.id: container for container in containers}
        for container in found.values():
            if self.records.get(container.id) is not None:
                self.observed(container)
        self.wake()
        return [known.id for known in self.records.all() if known.id not in found]

    # --- what its actions ask ----------------------------------------------------------------------------------------

    def pod(self) -> Obj | None:
        """The object as it is now; None when it was removed (or replaced by another of the name)."""
        found = self.services.client.find("pods", self.namespace, self.name)
        return found if found is not None and meta.uid(found) == self.uid else None

    def sandbox(self) -> Container | None:
        found = self.records.sandboxes()
        return found[0] if found else None

    async def predecessor_gone(self) -> None:
        if self._before is not None:
            await self._before.dead.wait()
            self._before = None

    async def interruptible(self, work: Awaitable[T]) -> T:
        """Await something that the pod's end may cut short: Abandoned then."""
        return await self.tasks.interruptible(work)

    def begin_probes(self, pod: Obj, spec: Obj, container: Container, was: Health | None = None) -> None:
        services = self.services
        age = (services.now() - container.started_at).total_seconds() if container.started_at else 0.0
        subject = Subject(pod, spec, container.id, self.address or services.host_address, age)
        self._probers.begin(Prober(services.runtime, services.recorder, subject, self.wake, was))

    def container_started(self, container: Container) -> None:
        """It runs and its postStart hook, if any, is done."""
        self.waiting.pop(container.name, None)
        self._probers.hook_done(container.id)
        self.publish()

    @property
    def starts_nothing(self) -> bool:
        """It is to go, or it is done."""
        return self.stopping or self.winding_down or self.ending is not None

    @property
    def last(self) -> Obj:
        """The pod as it was seen last."""
        return self.pod() or self._last

    @property
    def priority(self) -> int:
        return int(self._last["spec"].get("priority") or 0)

    async def start_no_more(self) -> None:
        """The pod is done. Containers that the engine is just starting are waited for: that can't be taken back."""
        self.winding_down = True
        self.tasks.cut_short()
        self.wake()
        while any(c.state == "created" and c.name in self.tasks.names for c in self.records.all() if not c.is_sandbox):
            await self.signal.wait()

    async def halt(self) -> None:
        """End the pod's containers for the shutdown of its node; its object stays as it is."""
        self._halting = True
        self.wake()
        await self.halted.wait()

    async def replace_container(self, container: Container, message: str, probe: str = "") -> None:
        """End one for another in its place, if the policy lets it have one."""
        self._replaced.add(container.id)
        await self.stop_container(container, message, probe)

    async def stop_container(self, container: Container, message: str, probe: str = "") -> None:
        """End one container of a pod that goes on; `probe` is the kind whose failure is the reason."""
        pod = self.last
        deadline = self.deadline_in(termination.grace_for(pod, container, probe))
        await termination.stop_container(self, pod, container, message, deadline)

    def deadline_in(self, seconds: float) -> termination.Deadline:
        """So many seconds from now, or when the pod's deletion says so if that is sooner."""
        until = self.services.now() + timedelta(seconds=seconds)

        def deadline() -> datetime:
            pod = self.pod()
            lives = pod is not None and not meta.is_terminating(pod)
            return until if lives else min(until, self._grace.deadline(pod))

        return deadline

    async def remove(self, container_id: str) -> None:
        await self.services.runtime.remove(container_id)
        self.forgotten(container_id)

    # --- the loop ----------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        try:
            await self._live()
            if self._halting and not meta.is_terminating(self.last):
                await self._halt()
            else:
                await self._end()
        finally:
            self.halted.set()
            self._probers.stop_all()
            self.tasks.cancel()

    def successor(self, containers: Iterable[Container]) -> PodWorker:
        """The worker that goes on where this one failed; who waits for the pod's end waits for that one's."""
        fresh = PodWorker(self.services, self.last, containers, self._before, self._rejection)
        fresh.dead, fresh._halting = self.dead, self._halting
        return fresh

    async def _live(self) -> None:
        """Until the pod is to go."""
        while True:
            pod = self.pod()
            if pod is None or meta.is_terminating(pod) or self._halting:
                return
            self._last = pod
            if self._rejection is not None:
                self.publish()
                await self.signal.wait()
                continue
            now = self.services.now()
            wake_at = self._check_deadline(pod, now)
            the_plan = planning.plan(self.view(pod), now)
            for action in the_plan.actions:
                actions.perform(self, pod, action)
            if self.disk.stale and self.disk.ready:
                actions.refresh_volumes(self, pod)
            self.publish()
            until = min(filter(None, (wake_at, the_plan.wake_at)), default=None)
            await self.signal.wait(max((until - self.services.now()).total_seconds(), 0) if until else None)

    def view(self, pod: Obj) -> View:
        return View(
            pod=pod,
            sandboxes=self.records.sandboxes(),
            containers=self.records.by_name(),
            waiting=self.waiting,
            health=self._probers.health(),
            busy=self.tasks.names,
            volumes_ready=self.disk.ready,
            setup_retry_at=self.disk.retry_at,
            sandbox_retry_at=self.sandbox_retry_at,
            address=self.address,
            host_address=self.services.host_address,
            ending=self.ending,
            winding_down=self.winding_down,
            replaced=frozenset(self._replaced),
            hooked=frozenset(self.hooked),
        )

    def publish(self, *, terminated: bool = False, as_running: Mapping[str, Container] | None = None) -> None:
        """Write the status if it says anything new; `as_running`, by id, are told to run whatever became of them."""
        pod = self.pod()
        if pod is None:
            return
        if is_finished(pod) and not pod["status"].get("containerStatuses"):
            return  # it was turned away, by this kubelet or by another: nothing of it ever ran
        status = self._status(pod, terminated, as_running or {})
        if status == pod.get("status"):
            return
        metadata = {key: value for key, value in pod["metadata"].items() if key != "resourceVersion"}
        fresh = {**pod, "metadata": metadata, "status": status}
        try:
            self.services.client.update("pods", fresh, "status")
        except StatusError as error:
            if error.code >= 500:  # a full disk, say: it may have room again soon
                asyncio.get_running_loop().call_later(WRITE_RETRY, self.wake)

    def _status(self, pod: Obj, terminated: bool, as_running: Mapping[str, Container]) -> Obj:
        if self._rejection is not None:
            return rejected_status(pod, self._rejection, self.services.now())
        view = self.view(pod)
        told = {name: tuple(as_running.get(c.id, c) for c in lives) for name, lives in view.containers.items()}
        return pod_status(replace(view, containers=told), self.services.now(), terminated=terminated)

    def _check_deadline(self, pod: Obj, now: datetime) -> datetime | None:
        """activeDeadlineSeconds: when it ends, or None."""
        end = active_deadline(pod)
        if end is None or self.ending is not None or is_finished(pod):
            return None
        if now < end:
            return end
        self.ending = PAST_DEADLINE
        self.services.recorder.event(pod, "Normal", PAST_DEADLINE.reason, PAST_DEADLINE.message)
        return None

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _begin_end(self) -> None:
        """Nothing new is begun, and what was under way is done."""
        self.stopping = True
        self.tasks.interrupt()
        self._probers.stop_all(keep_readiness=True)
        self.wake()
        await self.tasks.settle(actions.BACKGROUND)

    async def _halt(self) -> None:
        await self._begin_end()
        await shutdown.end_containers(self)

    async def _end(self) -> None:
        """The pod is to go: end its containers, say how they ended, let the object go, then clean up."""
        await self._begin_end()
        news = asyncio.get_running_loop().create_task(self._publish_news())
        try:
            await termination.stop_all(self, self.last, lambda: self._grace.deadline(self.pod()))
        finally:
            news.cancel()
            self._probers.stop_all()
        await self.predecessor_gone()
        self.dead.set()
        self.publish(terminated=True)
        await termination.let_go(self)
        await termination.clean_up(self)

    async def _publish_news(self) -> None:
        """Readiness, that is; that containers end is told when all have."""
        running = {container.id: container for container in self.records.running()}
        while True:
            await self.signal.wait()
            self.publish(as_running=running)

    # --- adoption ----------------------------------------------------------------------------------------------------

    def _adopt(self, pod: Obj) -> None:
        """Take over what an earlier kubelet left running: nothing is restarted for it."""
        self.waiting |= waiting_before(pod)
        address = address_before(pod, self.sandbox())
        if address and self.services.addresses.reserve(self.uid, address):
            self.address = address
        self.records = Records(replace(c, started_at=start_before(pod, c)) for c in self.records.all())
        for container in self.records.running():
            if spec := container_of(pod, container.name):
                self.begin_probes(pod, spec, container, health_before(pod, spec, container))
        for container in self.records.all():
            if container.state == "exited":
                self.records.put(with_message(container))
