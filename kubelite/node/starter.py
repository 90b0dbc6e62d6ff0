"""Brings sandboxes and containers up. Called by the pod worker, one call per action of the plan.

Whatever goes wrong becomes a StartFailure with upstream's waiting reason and event. The engine's calls are made in
the order that costs least: the containers of a pod are created while its sandbox is still starting.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from kubelite.node.container_spec import Placement, container_spec, sandbox_spec
from kubelite.node.environment import ConfigError, environment
from kubelite.node.host_volumes import Volume
from kubelite.node.images import NOTICE, StartFailure
from kubelite.node.labels import engine_name
from kubelite.node.lifecycle import HookFailed, run_hook
from kubelite.node.mounts import message_file, mounts_of
from kubelite.node.plan import CreateSandbox, StartContainer
from kubelite.node.pod_tasks import Abandoned
from kubelite.node.runtime import SANDBOX, Container, ContainerSpec, EngineError, EngineGone, Image, NameTaken
from kubelite.node.seccomp import with_profile
from kubelite.node.services import Services
from kubelite.node.view import container_of, field_path, regular_containers
from kubelite.objects import meta
from kubelite.objects.meta import Obj

if TYPE_CHECKING:
    from kubelite.node.pod_worker import PodWorker

RETRY = 10.0  # seconds after which a container that couldn't be made is tried again


async def create_sandbox(worker: PodWorker, pod: Obj, action: CreateSandbox) -> None:
    """Create and start; the containers' turn comes as soon as it is created."""
    services = worker.services
    spec = sandbox_spec(
        pod, services.settings, services.pause_image, action.attempt, worker.address, services.settings.domain
    )
    spec = replace(spec, runtime=runtime_handler(services, pod))
    spec = _with_free_name(services, spec, pod, SANDBOX, action.attempt)
    container_id = await create(services, spec)
    sandbox = _record(pod, spec, container_id, SANDBOX, action.attempt)
    worker.observed(replace(sandbox, address=worker.address))
    try:
        await services.runtime.start(container_id)
    except EngineError:
        await worker.remove(container_id)
        raise
    worker.records.started(container_id, services.now())


async def start_container(worker: PodWorker, pod: Obj, spec: Obj, action: StartContainer) -> None:
    """Image, create, start, postStart."""
    image = await worker.interruptible(worker.services.images.ensure(pod, spec))
    container = await _create_container(worker, pod, spec, action, image)
    try:
        await _sandbox_running(worker, container)
        await _hooks_done(worker, pod, container)
    except Abandoned:
        await worker.remove(container.id)
        raise
    hook = (spec.get("lifecycle") or {}).get("postStart")
    if hook:
        worker.hooked.add(container.id)
    try:
        await _start(worker, pod, spec, container)
        worker.begin_probes(pod, spec, container)
        if hook:
            await _post_start(worker, pod, spec, container, hook)
    finally:
        worker.hooked.discard(container.id)
    worker.container_started(container)


async def _create_container(worker: PodWorker, pod: Obj, spec: Obj, action: StartContainer, image: Image) -> Container:
    services, path = worker.services, field_path(pod, action.name)
    sandbox = worker.sandbox()
    if sandbox is None or worker.starts_nothing:
        raise Abandoned
    try:
        made = await asyncio.to_thread(_engine_spec, worker, pod, spec, action, image, sandbox)
    except ConfigError as error:
        raise _failure(services, pod, path, "CreateContainerConfigError", str(error)) from error
    try:
        made = replace(made, security=with_profile(made.security))
        made = _with_free_name(services, made, pod, action.name, action.attempt)
        container_id = await create(services, made)
    except EngineGone:
        raise
    except EngineError as error:
        raise _failure(services, pod, path, "CreateContainerError", str(error)) from error
    services.recorder.event(pod, "Normal", "Created", f"Created container: {action.name}", path)
    container = replace(
        _record(pod, made, container_id, action.name, action.attempt),
        backoff=action.backoff,
        sandbox_id=sandbox.id,
        image_id=image.reference,
        stop_signal=image.stop_signal or "SIGTERM",
    )
    worker.observed(container)
    return container


def _engine_spec(
    worker: PodWorker, pod: Obj, spec: Obj, action: StartContainer, image: Image, sandbox: Container
) -> ContainerSpec:
    around = worker.disk.sources.around(pod, worker.address)
    place = placement(worker.disk.directory, worker.disk.volumes, spec, action, sandbox, environment(pod, spec, around))
    if target := spec.get("targetContainerName"):
        place = replace(place, target=_target(worker, target))
    made = container_spec(pod, spec, worker.services.settings.name, image, place, around)
    groups = dict.fromkeys(volume.group for volume in worker.disk.volumes.values() if volume.group)
    security = replace(made.security, groups=(*made.security.groups, *groups))
    return replace(made, runtime=runtime_handler(worker.services, pod), security=security)


def runtime_handler(services: Services, pod: Obj) -> str:
    """The engine's runtime that the pod's class names."""
    name = pod["spec"].get("runtimeClassName")
    if not name:
        return ""
    found = services.client.find("runtimeclasses", None, name)
    if found is None:
        raise EngineError(f'failed to get sandbox runtime: runtimeclass.node.k8s.io "{name}" not found')
    return str(found.get("handler") or "")


def _target(worker: PodWorker, name: str) -> str:
    found = worker.records.by_name().get(name)
    if not found:
        raise ConfigError(f"unable to find target container {name}")
    return found[0].id


def placement(
    directory: Path,
    volumes: Mapping[str, Volume],
    spec: Obj,
    action: StartContainer,
    sandbox: Container,
    variables: Mapping[str, str],
) -> Placement:
    mounts = mounts_of(spec, action.attempt, directory, volumes, variables)
    message = message_file(directory, spec["name"], action.attempt)
    return Placement(sandbox, action.attempt, action.backoff, mounts, str(message))


async def _start(worker: PodWorker, pod: Obj, spec: Obj, container: Container) -> None:
    services, path = worker.services, field_path(pod, container.name)
    try:
        await services.runtime.start(container.id)
    except EngineGone:
        raise
    except EngineError as error:
        if found := await services.runtime.inspect(container.id):
            worker.observed(found)
        failure = _failure(services, pod, path, "RunContainerError", str(error))
        # From then on it counts as a container that ended, which waits out its back-off.
        failure.retry_at = services.now() + timedelta(seconds=NOTICE)
        raise failure from error
    worker.records.started(container.id, services.now())
    services.recorder.event(pod, "Normal", "Started", f"Started container {container.name}", path)


async def _post_start(worker: PodWorker, pod: Obj, spec: Obj, container: Container, hook: Obj) -> None:
    services, path = worker.services, field_path(pod, container.name)
    try:
        await worker.interruptible(run_hook(services, pod, spec, container.id, hook, worker.address))
    except HookFailed as error:
        services.recorder.event(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", path)
        await worker.stop_container(container, "FailedPostStartHook")
        raise StartFailure("PostStartHookError", str(error), None) from error


async def _sandbox_running(worker: PodWorker, container: Container) -> None:
    """Wait until the sandbox runs, and until no container of an earlier pod of this name does."""
    await worker.predecessor_gone()
    while True:
        sandbox = worker.records.get(container.sandbox_id)
        if sandbox is None or sandbox.state == "exited" or worker.starts_nothing:
            raise Abandoned
        if sandbox.state == "running":
            return
        await worker.signal.wait()


async def _hooks_done(worker: PodWorker, pod: Obj, container: Container) -> None:
    """Wait for the postStart hooks of the containers before it: who has one may hold back the others by it."""
    names = [spec["name"] for spec in regular_containers(pod)]
    before = names[: names.index(container.name)] if container.name in names else []
    hooked = {name for name in before if ((container_of(pod, name) or {}).get("lifecycle") or {}).get("postStart")}
    while not hooked.isdisjoint(worker.tasks.names):
        if worker.starts_nothing:
            raise Abandoned
        await worker.signal.wait()


async def create(services: Services, spec: ContainerSpec) -> str:
    """Create; a leftover of this cluster that has the name makes way."""
    services.engine_names.add(spec.engine_name)
    try:
        return await services.runtime.create(spec)
    except NameTaken:
        await services.runtime.remove_by_name(spec.engine_name)
        return await services.runtime.create(spec)
    except EngineError:
        services.engine_names.discard(spec.engine_name)
        raise


def _with_free_name(services: Services, spec: ContainerSpec, pod: Obj, name: str, attempt: int) -> ContainerSpec:
    """While an earlier pod of the same name is being removed, its names are still taken: count on."""
    chosen = spec.engine_name
    while chosen in services.engine_names:
        attempt += 1
        chosen = engine_name(services.settings.name, pod, name, attempt)
    return replace(spec, engine_name=chosen)


def _record(pod: Obj, spec: ContainerSpec, container_id: str, name: str, attempt: int) -> Container:
    return Container(
        id=container_id,
        name=name,
        pod_uid=meta.uid(pod),
        pod_name=meta.name(pod),
        namespace=meta.namespace(pod) or "",
        engine_name=spec.engine_name,
        attempt=attempt,
        hash=spec.labels.get("io.kubernetes.container.hash", ""),
        image=spec.image,
        message_file=spec.labels.get("io.kubernetes.container.terminationMessagePath", ""),
    )


def _failure(services: Services, pod: Obj, path: str, reason: str, message: str) -> StartFailure:
    services.recorder.event(pod, "Warning", "Failed", f"Error: {message}", path)
    return StartFailure(reason, message, services.now() + timedelta(seconds=RETRY))
