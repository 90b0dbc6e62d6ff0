"""One pod's worker: looks, plans, acts, publishes the status, and sleeps until something changes.

Started by the kubelet for each pod of the node, woken by changes of the pod and of what its volumes show, by engine
events, probe results and timers. Each action of the plan runs as a task of its own; the plan knows which are at work.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TypeVar

from kubelite.errors import StatusError
from kubelite.node import plan as planning
from kubelite.node import shutdown, starter, termination
from kubelite.node.admission import Rejection, rejected_status
from kubelite.node.adoption import address_before, health_before, start_before, waiting_before
from kubelite.node.environment import ConfigError
from kubelite.node.images import StartFailure
from kubelite.node.pod_disk import PodDisk
from kubelite.node.pod_tasks import ActionTasks
from kubelite.node.probes import Prober, Probers, Subject
from kubelite.node.records import Records
from kubelite.node.runtime import SANDBOX, Container, EngineError
from kubelite.node.services import Services, Signal
from kubelite.node.status import PAST_DEADLINE, active_deadline, back_off_message, pod_status
from kubelite.node.termination_message import wants_logs_as_message, with_logs_as_message, with_message
from kubelite.node.view import (
    Ending,
    Health,
    View,
    Waiting,
    container_of,
    field_path,
    full_name,
    is_finished,
    is_host_network,
)
from kubelite.node.volume_payload import token_life, uses_tokens
from kubelite.node.waits import Waits
from kubelite.objects import meta
from kubelite.objects.meta import Obj

log = logging.getLogger(__name__)

T = TypeVar("T")

PINNED_ADDRESS = "kubelite.io/ip"
ENGINE_RETRY = 1.0
WRITE_RETRY = 1.0
TOKEN_REFRESH = 0.8  # of a token's life
SETUP = "setup"
STOP = "stop"


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
        self.halted = asyncio.Event()  # it has ended for the shutdown of its node
        self.dead = asyncio.Event()  # no container of this pod runs, and none will again
        self._before = before
        self._halting = False
        self._rejection = rejection
        self._last = pod
        self._waiting = Waits()
        self._probers = Probers()
        self._tasks = ActionTasks(f"{self.namespace}/{self.name}", self.wake)
        self._sandbox_retry_at: datetime | None = None
        self._ending: Ending | None = None
        self._replaced: set[str] = set()
        self._grace = termination.GraceClock(services.now)
        self._adopt(pod)

    # --- what others tell it -----------------------------------------------------------------------------------------

    def wake(self) -> None:
        self.signal.notify()

    def sources_changed(self) -> None:
        """An object that the pod's volumes, environment or claims show has changed: try at once what failed."""
        self.disk.sources_changed()
        self._waiting.retry_now("CreateContainerConfigError")
        self.wake()

    def spec_changed(self, old: Obj) -> None:
        self._waiting.retry_changed(old, self.last)

    def end_early(self, ending: Ending) -> None:
        """End the pod, which fails for that reason."""
        pod = self.pod()
        if pod is None or self._ending is not None or self.stopping or is_finished(pod):
            return
        self._ending = ending
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
        self._probers.stop(container.id)
        known = self.records.get(container.id)
        if known is not None and known.state == "exited":
            return
        container = with_message(container)
        if wants_logs_as_message(self._last, container):
            self._tasks.spawn(f"tail:{container.id}", self._tail(container))
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
        return await self._tasks.interruptible(work)

    def begin_probes(self, pod: Obj, spec: Obj, container: Container, was: Health | None = None) -> None:
        subject = Subject(pod, spec, container.id, self.address or self.services.host_address)
        services = self.services
        self._probers.begin(Prober(services.runtime, services.recorder, subject, self.wake, was))

    def container_started(self, container: Container) -> None:
        """It runs and its postStart hook, if any, is done."""
        self._waiting.pop(container.name, None)
        self._probers.hook_done(container.id)
        self.publish()

    @property
    def starts_nothing(self) -> bool:
        """It is to go, or to fail."""
        return self.stopping or self._ending is not None

    @property
    def last(self) -> Obj:
        """The pod as it was seen last."""
        return self.pod() or self._last

    @property
    def priority(self) -> int:
        return int(self._last["spec"].get("priority") or 0)

    async def halt(self) -> None:
        """End the pod's containers for the shutdown of its node; its object stays as it is."""
        self._halting = True
        self.wake()
        await self.halted.wait()

    async def stop_container(self, container: Container, message: str) -> None:
        """End one container of a pod that goes on."""
        pod = self.last
        self._replaced.add(container.id)
        until = self.services.now() + timedelta(seconds=termination.grace_for(pod, container, message))
        await termination.stop_container(self, pod, container, message, lambda: until)

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
            self._tasks.cancel()

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
                self._perform(pod, action)
            if self.disk.stale and self.disk.ready:
                self._tasks.spawn("refresh", self.disk.refresh(pod, self.address))
            self.publish()
            until = min(filter(None, (wake_at, the_plan.wake_at)), default=None)
            await self.signal.wait(max((until - self.services.now()).total_seconds(), 0) if until else None)

    def view(self, pod: Obj) -> View:
        return View(
            pod=pod,
            sandboxes=self.records.sandboxes(),
            containers=self.records.by_name(),
            waiting=self._waiting,
            health=self._probers.health(),
            busy=self._tasks.names,
            volumes_ready=self.disk.ready,
            setup_retry_at=self.disk.retry_at,
            sandbox_retry_at=self._sandbox_retry_at,
            address=self.address,
            host_address=self.services.host_address,
            ending=self._ending,
            replaced=frozenset(self._replaced),
        )

    def publish(self, *, terminated: bool = False) -> None:
        """Write the status if it says anything new."""
        pod = self.pod()
        if pod is None:
            return
        if is_finished(pod) and not pod["status"].get("containerStatuses"):
            return  # it was turned away, by this kubelet or by another: nothing of it ever ran
        status = self._status(pod, terminated)
        if status == pod.get("status"):
            return
        metadata = {key: value for key, value in pod["metadata"].items() if key != "resourceVersion"}
        fresh = {**pod, "metadata": metadata, "status": status}
        try:
            self.services.client.update("pods", fresh, "status")
        except StatusError as error:
            if error.code >= 500:  # a full disk, say: it may have room again soon
                asyncio.get_running_loop().call_later(WRITE_RETRY, self.wake)

    def _status(self, pod: Obj, terminated: bool) -> Obj:
        if self._rejection is not None:
            return rejected_status(pod, self._rejection, self.services.now())
        return pod_status(self.view(pod), self.services.now(), terminated=terminated)

    def _check_deadline(self, pod: Obj, now: datetime) -> datetime | None:
        """activeDeadlineSeconds: when it ends, or None."""
        end = active_deadline(pod)
        if end is None or self._ending is not None or is_finished(pod):
            return None
        if now < end:
            return end
        self._ending = PAST_DEADLINE
        self.services.recorder.event(pod, "Normal", PAST_DEADLINE.reason, PAST_DEADLINE.message)
        return None

    # --- actions -----------------------------------------------------------------------------------------------------

    def _perform(self, pod: Obj, action: planning.Action) -> None:
        match action:
            case planning.SetUp():
                self._tasks.spawn(SETUP, self._set_up(pod))
            case planning.CreateSandbox():
                self._tasks.spawn(SANDBOX, self._create_sandbox(pod, action))
            case planning.StartContainer():
                self._tasks.spawn(action.name, self._start_container(pod, action))
            case planning.KillContainer():
                self._tasks.spawn(action.container.name, self.stop_container(action.container, action.message))
            case planning.HoldBack():
                self._hold_back(pod, action)
            case planning.Remove():
                self._tasks.spawn(f"rm:{action.container.id}", self.remove(action.container.id))
            case planning.StopPod():
                self._tasks.spawn(STOP, termination.stop_finished(self, pod, self._ending))

    async def _set_up(self, pod: Obj) -> None:
        if not is_host_network(pod) and not self.address:
            try:
                self.address = self.services.addresses.allocate(self.uid, _pinned_address(pod))
            except ValueError as error:
                self._sandbox_failed(pod, error)
                self.disk.put_off()
                return
        await self.disk.set_up(pod, self.address)
        if self.disk.ready and uses_tokens(pod):
            self._tasks.spawn("tokens", self._renew_tokens(pod))

    async def _renew_tokens(self, pod: Obj) -> None:
        await asyncio.sleep(token_life(pod) * TOKEN_REFRESH)
        self.disk.stale = True

    async def _create_sandbox(self, pod: Obj, action: planning.CreateSandbox) -> None:
        services = self.services
        if action.attempt:
            message = "Pod sandbox changed, it will be killed and re-created."
            services.recorder.event(pod, "Normal", "SandboxChanged", message)
        try:
            await starter.create_sandbox(self, pod, action)
        except (EngineError, ConfigError) as error:
            self._sandbox_failed(pod, error)
            self._sandbox_retry_at = services.now() + timedelta(seconds=ENGINE_RETRY)
            if "Address already in use" in str(error) and not _pinned_address(pod):
                services.addresses.release(self.uid)
                self.address, self.disk.ready = "", False
        else:
            # Which may have been the old sandbox's fault.
            self._waiting.retry_now("CreateContainerError", "RunContainerError")

    def _sandbox_failed(self, pod: Obj, error: Exception) -> None:
        message = f"Failed to create pod sandbox: {error}"
        self.services.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)

    async def _start_container(self, pod: Obj, action: planning.StartContainer) -> None:
        spec = container_of(pod, action.name)
        if spec is None:
            return
        try:
            await starter.start_container(self, pod, spec, action)
        except StartFailure as failure:
            if failure.reason in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "InvalidImageName"):
                path = field_path(pod, action.name)
                self.services.recorder.event(pod, "Warning", "Failed", f"Error: {failure.reason}", path)
            self._waiting[action.name] = Waiting(failure.reason, failure.message, failure.retry_at)

    def _hold_back(self, pod: Obj, action: planning.HoldBack) -> None:
        self._waiting[action.name] = Waiting("CrashLoopBackOff", back_off_message(pod, action), action.until)
        text = f"Back-off restarting failed container {action.name} in pod {full_name(pod)}"
        self.services.recorder.event(pod, "Warning", "BackOff", text, field_path(pod, action.name))

    # --- the end -----------------------------------------------------------------------------------------------------

    async def _begin_end(self) -> None:
        """Nothing new is begun, and what was under way is done."""
        self.stopping = True
        self._tasks.interrupt()
        self._probers.stop_all(keep_readiness=True)
        self.wake()
        await self._tasks.settle({"tokens", "refresh"})

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
        await self.predecessor_gone()
        self.dead.set()
        self.publish(terminated=True)
        await termination.let_go(self)
        await termination.clean_up(self)

    async def _publish_news(self) -> None:
        """Readiness, that is; that containers end is told when all have."""
        running = self.records.running()
        while True:
            await self.signal.wait()
            if len(self.records.running()) == len(running):
                self.publish()

    # --- adoption ----------------------------------------------------------------------------------------------------

    def _adopt(self, pod: Obj) -> None:
        """Take over what an earlier kubelet left running: nothing is restarted for it."""
        self._waiting |= waiting_before(pod)
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


def _pinned_address(pod: Obj) -> str:
    return meta.annotations(pod).get(PINNED_ADDRESS, "")
