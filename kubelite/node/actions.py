"""Carries out what the plan says, each action as a task of its own. Called by the pod worker.

What goes wrong is told as upstream tells it, as an event and as what the container (or the sandbox) waits for.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from kubelite.node import plan as planning
from kubelite.node import starter, termination
from kubelite.node.environment import ConfigError
from kubelite.node.images import ImageFailure, StartFailure
from kubelite.node.runtime import SANDBOX, EngineError
from kubelite.node.status import back_off_message
from kubelite.node.tokens import renewal
from kubelite.node.view import Waiting, container_of, field_path, full_name, is_host_network
from kubelite.node.volume_payload import token_life, uses_tokens
from kubelite.objects import meta
from kubelite.objects.meta import Obj

if TYPE_CHECKING:
    from kubelite.node.pod_worker import PodWorker

PINNED_ADDRESS = "kubelite.io/ip"
ENGINE_RETRY = 1.0
SETUP = "setup"
STOP = "stop"
BACKGROUND = frozenset({"tokens", "refresh"})  # tasks that the pod's end need not wait for


def perform(worker: PodWorker, pod: Obj, action: planning.Action) -> None:
    """Begin it, unless what it works on is being worked on."""
    spawn = worker.tasks.spawn
    match action:
        case planning.SetUp():
            spawn(SETUP, _set_up(worker, pod))
        case planning.CreateSandbox():
            spawn(SANDBOX, _create_sandbox(worker, pod, action))
        case planning.StartContainer():
            spawn(action.name, _start_container(worker, pod, action))
        case planning.KillContainer():
            spawn(action.container.name, worker.replace_container(action.container, action.message, action.probe))
        case planning.HoldBack():
            _hold_back(worker, pod, action)
        case planning.Remove():
            spawn(f"rm:{action.container.id}", worker.remove(action.container.id))
        case planning.StopPod():
            spawn(STOP, termination.stop_finished(worker, pod, worker.ending))


def refresh_volumes(worker: PodWorker, pod: Obj) -> None:
    """What the volumes show has changed: write it anew."""
    worker.tasks.spawn("refresh", worker.disk.refresh(pod, worker.address))


async def _set_up(worker: PodWorker, pod: Obj) -> None:
    if not is_host_network(pod) and not worker.address:
        try:
            worker.address = worker.services.addresses.allocate(worker.uid, _pinned_address(pod))
        except ValueError as error:
            _sandbox_failed(worker, pod, error)
            worker.disk.put_off()
            return
    await worker.disk.set_up(pod, worker.address)
    if worker.disk.ready and uses_tokens(pod):
        worker.tasks.spawn("tokens", _renew_tokens(worker, pod))


async def _renew_tokens(worker: PodWorker, pod: Obj) -> None:
    while True:
        await asyncio.sleep(renewal(token_life(pod)))
        worker.sources_changed()


async def _create_sandbox(worker: PodWorker, pod: Obj, action: planning.CreateSandbox) -> None:
    services = worker.services
    if action.attempt:
        message = "Pod sandbox changed, it will be killed and re-created."
        services.recorder.event(pod, "Normal", "SandboxChanged", message)
    try:
        await starter.create_sandbox(worker, pod, action)
    except (EngineError, ConfigError) as error:
        _sandbox_failed(worker, pod, error)
        worker.sandbox_retry_at = services.now() + timedelta(seconds=ENGINE_RETRY)
        if "Address already in use" in str(error) and not _pinned_address(pod):
            services.addresses.release(worker.uid)
            worker.address, worker.disk.ready = "", False
    else:
        # Which may have been the old sandbox's fault.
        worker.waiting.retry_now("CreateContainerError", "RunContainerError")


def _sandbox_failed(worker: PodWorker, pod: Obj, error: Exception) -> None:
    message = f"Failed to create pod sandbox: {error}"
    worker.services.recorder.event(pod, "Warning", "FailedCreatePodSandBox", message)


async def _start_container(worker: PodWorker, pod: Obj, action: planning.StartContainer) -> None:
    spec = container_of(pod, action.name)
    if spec is None:
        return
    try:
        await starter.start_container(worker, pod, spec, action)
    except StartFailure as failure:
        if isinstance(failure, ImageFailure):
            path = field_path(pod, action.name)
            worker.services.recorder.event(pod, "Warning", "Failed", f"Error: {failure.reason}", path)
        worker.waiting[action.name] = Waiting(failure.reason, failure.message, failure.retry_at)


def _hold_back(worker: PodWorker, pod: Obj, action: planning.HoldBack) -> None:
    worker.waiting[action.name] = Waiting("CrashLoopBackOff", back_off_message(pod, action), action.until)
    text = f"Back-off restarting failed container {action.name} in pod {full_name(pod)}"
    worker.services.recorder.event(pod, "Warning", "BackOff", text, field_path(pod, action.name))


def _pinned_address(pod: Obj) -> str:
    return meta.annotations(pod).get(PINNED_ADDRESS, "")
