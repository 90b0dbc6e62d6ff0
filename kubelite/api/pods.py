"""The subresources of pods that reach into their containers: log, exec, attach, portforward."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from aiohttp import web

from kubelite import errors
from kubelite.api.path import Target
from kubelite.node.process import Process, ProcessFactory
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.registry import Registry
from kubelite.streams.attach import serve_attach
from kubelite.streams.command import missing_container
from kubelite.streams.exec import serve_exec
from kubelite.streams.logs import serve_logs
from kubelite.streams.portforward import serve_portforward
from kubelite.streams.remote import StreamOptions


@dataclass(frozen=True, slots=True)
class LogOptions:
    """v1.PodLogOptions, without the container and `previous`."""

    follow: bool = False
    tail: int | None = None
    since: str | None = None  # RFC 3339
    timestamps: bool = False
    limit: int | None = None


class PodStreams(Protocol):
    """What the node offers for a pod that runs on it. Failures are StatusErrors, or ProcessError from starting."""

    def container_id(self, pod: Obj, container: str, *, previous: bool = False) -> str | None:
        """The engine's id of the container's latest (or, `previous`, last but one) run; None when there is none."""
        ...

    async def exec(self, container_id: str, command: Sequence[str], options: StreamOptions) -> Process: ...

    async def attach(self, container_id: str, options: StreamOptions) -> Process: ...

    async def logs(self, container_id: str, options: LogOptions) -> AsyncGenerator[bytes, None]: ...

    async def connect(self, pod: Obj, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]: ...


def container_names(pod: Obj) -> list[str]:
    spec = pod["spec"]
    groups = (spec.get("containers"), spec.get("initContainers"), spec.get("ephemeralContainers"))
    return [container["name"] for group in groups for container in group or ()]


def chosen_container(pod: Obj, asked: str) -> str:
    """The asked-for container, or the only one; upstream's 400 otherwise."""
    names = container_names(pod)
    if asked:
        if asked not in names:
            raise errors.bad_request(f"container {asked} is not valid for pod {meta.name(pod)}")
        return asked
    regular = [container["name"] for container in pod["spec"]["containers"]]
    if len(regular) == 1:
        return str(regular[0])
    default = meta.annotations(pod).get("kubectl.kubernetes.io/default-container")
    if default in regular:
        return str(default)
    listed = " ".join(regular)
    raise errors.bad_request(f"a container name must be specified for pod {meta.name(pod)}, choose one of: [{listed}]")


def container_status(pod: Obj, name: str) -> Obj:
    status = pod.get("status", {})
    for group in ("containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"):
        for entry in status.get(group) or ():
            if entry["name"] == name:
                return dict(entry)
    return {}


class Pods:
    """Handlers; `streams` is the node's side."""

    def __init__(self, registry: Registry, streams: PodStreams) -> None:
        self._registry = registry
        self._streams = streams

    def _pod(self, target: Target) -> Obj:
        pod = self._registry.stored(target.kind, target.namespace, target.name).object
        if not pod["spec"].get("nodeName"):
            raise errors.bad_request(f"pod {target.name} does not have a host assigned")
        return pod

    async def log(self, request: web.Request, target: Target) -> web.StreamResponse:
        stored = self._registry.stored(target.kind, target.namespace, target.name)
        query = request.query
        container = chosen_container(stored.object, query.get("container", ""))
        options = log_options(query, self._registry.now().timestamp(), target.name)
        pod = self._pod(target)
        previous = _is_true(query, "previous")
        found = self._streams.container_id(pod, container, previous=previous)
        if found is None:
            raise _no_log(pod, container, previous)
        chunks = await self._streams.logs(found, options)
        return await serve_logs(request, chunks, limit_bytes=options.limit)

    def _starting(
        self, request: web.Request, target: Target, work: Callable[[str], Awaitable[Process]]
    ) -> ProcessFactory:
        """`work` on the container that is asked for, if it runs."""
        pod = self._pod(target)
        container = chosen_container(pod, request.query.get("container", ""))
        found = self._streams.container_id(pod, container)
        if found is None or "running" not in container_status(pod, container).get("state", {}):
            return missing_container(request, container)
        return lambda: work(found)

    async def exec(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = StreamOptions.from_query(request.query)
        command = request.query.getall("command", [])
        if not command:
            raise errors.bad_request("you must specify at least one command for the container")
        start = self._starting(request, target, lambda found: self._streams.exec(found, command, options))
        return await serve_exec(request, start, options)

    async def attach(self, request: web.Request, target: Target) -> web.StreamResponse:
        options = StreamOptions.from_query(request.query)
        start = self._starting(request, target, lambda found: self._streams.attach(found, options))
        return await serve_attach(request, start, options)

    async def port_forward(self, request: web.Request, target: Target) -> web.StreamResponse:
        pod = self._pod(target)
        if pod.get("status", {}).get("phase") != "Running":
            phase = pod.get("status", {}).get("phase", "Pending")
            raise errors.bad_request(f"unable to forward port because pod is not running. Current status={phase}")
        return await serve_portforward(request, lambda port: self._streams.connect(pod, port), meta.uid(pod))


def log_options(query: Mapping[str, str], now: float, pod: str = "") -> LogOptions:
    """From a log request's query; `now` is in seconds since the epoch, for sinceSeconds."""
    tail, seconds = _number(query, "tailLines"), _number(query, "sinceSeconds")
    since, limit = _moment(query.get("sinceTime")), _number(query, "limitBytes")
    wrong = []
    if tail is not None and tail < 0:
        wrong.append(errors.invalid_value("tailLines", tail, "must be greater than or equal to 0"))
    if limit is not None and limit < 1:
        wrong.append(errors.invalid_value("limitBytes", limit, "must be greater than 0"))
    if seconds is not None and since:
        wrong.append(errors.forbidden_field("", "at most one of `sinceTime` or `sinceSeconds` may be specified"))
    elif seconds is not None and seconds < 1:
        wrong.append(errors.invalid_value("sinceSeconds", seconds, "must be greater than 0"))
    if wrong:
        raise errors.invalid("PodLogOptions", pod, wrong)
    return LogOptions(
        follow=_is_true(query, "follow"),
        tail=tail,
        since=_rfc3339(now - seconds) if seconds is not None else since,
        timestamps=_is_true(query, "timestamps"),
        limit=limit,
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise errors.bad_request(f'strconv.ParseInt: parsing "{text}": invalid syntax') from None


def _moment(text: str | None) -> str | None:
    """RFC 3339, with a zone."""
    if not text:
        return None
    try:
        aware = meta.parse_time(text).tzinfo is not None
    except ValueError:
        aware = False
    if not aware:
        raise errors.bad_request(
            f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse "{text}" as "2006"'
        )
    return text


def _rfc3339(seconds: float) -> str:
    return meta.format_micro_time(datetime.fromtimestamp(seconds, UTC))


def _is_true(query: Mapping[str, str], name: str) -> bool:
    return query.get(name, "").lower() in ("true", "1", "t")


def _no_log(pod: Obj, container: str, previous: bool) -> errors.StatusError:
    name = meta.name(pod)
    if previous:
        return errors.bad_request(f'previous terminated container "{container}" in pod "{name}" not found')
    subject, status = f'container "{container}" in pod "{name}"', container_status(pod, container)
    if not status:
        return errors.bad_request(f"{subject} is not available")
    state = status.get("state") or {}
    if "terminated" in state or "terminated" in (status.get("lastState") or {}):
        return errors.bad_request(f"{subject} is terminated")
    reason = (state.get("waiting") or {}).get("reason", "ContainerCreating")
    return errors.bad_request(f"{subject} is waiting to start: {_PULL_TROUBLE.get(reason, reason)}")


_PULL_TROUBLE = {"ErrImagePull": "image can't be pulled", "ImagePullBackOff": "trying and failing to pull image"}
