"""Probes of one running container. Started and stopped by the pod worker.

Follows upstream's `kubelet/prober`: liveness is true and readiness false until the first result, the others wait for
the startup probe, thresholds count results in a row, an error of the probing itself counts for nothing. Different on
purpose: a container that has just started is asked for readiness (and startup) at once and, silently, ever more
slowly until the first period is over, so that a pod turns Ready when it is ready and not at the next tick.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from kubelite.node.environment import expand_probe
from kubelite.node.handlers import BadHandler, Verdict, run_exec, run_grpc, run_http, run_tcp
from kubelite.node.runtime import EngineError, Runtime
from kubelite.node.view import Health, field_path
from kubelite.objects.meta import Obj
from kubelite.registry.client import Recorder

log = logging.getLogger(__name__)

ATTEMPTS = 3
EAGER_FIRST = 0.02
EAGER_CAP = 1.0
EAGER_EXEC_FIRST = 0.1
LIVENESS_PAUSE = 1.0  # a fresh container isn't asked whether it is still alive

WORDS = {"livenessProbe": "Liveness", "readinessProbe": "Readiness", "startupProbe": "Startup"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to probe."""

    pod: Obj
    container: Obj
    container_id: str
    address: str
    age: float = 0.0  # seconds since it started


class Probers:
    """Of one pod's containers, by their ids."""

    def __init__(self) -> None:
        self._by_id: dict[str, Prober] = {}

    def begin(self, prober: Prober) -> None:
        self._by_id[prober.container_id] = prober

    def hook_done(self, container_id: str) -> None:
        if prober := self._by_id.get(container_id):
            prober.hook_done()

    def stop(self, container_id: str) -> None:
        if prober := self._by_id.pop(container_id, None):
            prober.stop()

    def stop_all(self, *, keep_readiness: bool = False) -> None:
        for prober in self._by_id.values():
            prober.stop(keep_readiness=keep_readiness)

    def health(self) -> dict[str, Health]:
        return {container_id: prober.health for container_id, prober in self._by_id.items()}


class Prober:
    """One container's probes and what they found: `health`, with `changed` called after each change."""

    def __init__(
        self,
        runtime: Runtime,
        recorder: Recorder,
        subject: Subject,
        changed: Callable[[], None],
        was: Health | None = None,
    ) -> None:
        self._runtime = runtime
        self._recorder = recorder
        self._subject = subject
        self._changed = changed
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._adopted = was is not None
        self._started = asyncio.get_running_loop().time() - subject.age
        self.health = was or Health()
        if was is not None:
            self._begin(was)

    @property
    def container_id(self) -> str:
        return self._subject.container_id

    def hook_done(self) -> None:
        """The container runs and its postStart hook, if any, has returned."""
        probed = "startupProbe" in self._subject.container
        self._begin(Health(started=not probed))

    def stop(self, *, keep_readiness: bool = False) -> None:
        for kind, task in self._tasks.items():
            if not (keep_readiness and kind == "readinessProbe"):
                task.cancel()

    def _begin(self, health: Health) -> None:
        container = self._subject.container
        if health.started:
            ready = health.ready or "readinessProbe" not in container
            self.health = replace(health, ready=ready)
            self._spawn("livenessProbe")
            self._spawn("readinessProbe")
        else:
            self.health = health
            self._spawn("startupProbe")

    def _spawn(self, kind: str) -> None:
        if probe := self._subject.container.get(kind):
            self._tasks[kind] = asyncio.get_running_loop().create_task(
                self._run(kind, probe), name=f"{kind} {self._subject.container_id[:12]}"
            )

    async def _run(self, kind: str, probe: Obj) -> None:
        age = asyncio.get_running_loop().time() - self._started
        await asyncio.sleep(max((probe.get("initialDelaySeconds") or 0) - age, 0))
        if kind == "livenessProbe":
            await asyncio.sleep(min(LIVENESS_PAUSE, probe.get("periodSeconds") or 10))
        elif not self._adopted and await self._eagerly(kind, probe):
            return
        period = float(probe.get("periodSeconds") or 10)
        successes = failures = 0
        while True:
            verdict = await self._ask(kind, probe)
            if verdict is not None:
                successes, failures = (successes + 1, 0) if verdict.ok else (0, failures + 1)
                self._tell(kind, verdict)
                if self._settle(kind, probe, successes, failures):
                    return
            await asyncio.sleep(period)

    async def _eagerly(self, kind: str, probe: Obj) -> bool:
        """Ask in quick succession for one period; True when a startup probe is over. Failures don't count."""
        loop = asyncio.get_running_loop()
        until = loop.time() + float(probe.get("periodSeconds") or 10)
        delay = EAGER_EXEC_FIRST if "exec" in probe else EAGER_FIRST
        while loop.time() < until:
            verdict = await self._ask(kind, probe)
            if verdict is not None and verdict.ok:
                if (probe.get("successThreshold") or 1) > 1:
                    return False
                done = self._settle(kind, probe, 1, 0)
                if not done:
                    await asyncio.sleep(float(probe.get("periodSeconds") or 10))
                return done
            await asyncio.sleep(delay)
            delay = min(delay * 1.5, EAGER_CAP)
        return False

    async def _ask(self, kind: str, probe: Obj) -> Verdict | None:
        """One result; None when the probing itself went wrong, also at the third attempt."""
        error: Exception | None = None
        for _ in range(ATTEMPTS):
            try:
                return await self._once(probe)
            except (EngineError, BadHandler) as problem:
                error = problem
        message = f"{WORDS[kind]} probe errored and resulted in unknown state: {error}"
        self._event("Warning", "Unhealthy", message)
        return None

    async def _once(self, probe: Obj) -> Verdict:
        subject, timeout = self._subject, float(probe.get("timeoutSeconds") or 1)
        if action := probe.get("exec"):
            return await run_exec(self._runtime, subject.container_id, expand_probe(action, subject.container), timeout)
        if action := probe.get("httpGet"):
            return await run_http(subject.container, action, subject.address, timeout)
        if action := probe.get("tcpSocket"):
            return await run_tcp(subject.container, action, subject.address, timeout)
        if action := probe.get("grpc"):
            return await run_grpc(action, subject.address, timeout)
        raise BadHandler("missing probe handler")

    def _tell(self, kind: str, verdict: Verdict) -> None:
        if verdict.outcome == "failure":
            self._event("Warning", "Unhealthy", f"{WORDS[kind]} probe failed: {verdict.output}")
        elif verdict.outcome == "warning":
            self._event("Warning", "ProbeWarning", f"{WORDS[kind]} probe warning: {verdict.output}")

    def _settle(self, kind: str, probe: Obj, successes: int, failures: int) -> bool:
        """Draw the conclusion of so many equal results in a row; True when this probe is over."""
        good = successes >= (probe.get("successThreshold") or 1)
        bad = failures >= (probe.get("failureThreshold") or 3)
        if kind == "readinessProbe":
            if (good or bad) and self.health.ready != good:
                self._set(replace(self.health, ready=good))
            return False
        if bad:
            self._set(replace(self.health, failed=WORDS[kind].lower()))
            return True
        if kind == "startupProbe" and good:
            self._begin(Health(started=True))
            self._changed()
            return True
        return False

    def _set(self, health: Health) -> None:
        self.health = health
        self._changed()

    def _event(self, type: str, reason: str, message: str) -> None:
        subject = self._subject
        path = field_path(subject.pod, subject.container["name"])
        self._recorder.event(subject.pod, "Normal" if type == "Normal" else "Warning", reason, message, path)
