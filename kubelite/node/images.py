"""Brings a container's image onto the machine as its pull policy says. Called by the container starter.

Follows upstream's `kubelet/images/image_manager.go`, with one addition: when no registry answers and the image is
here, the local one is used and an event says so.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from kubelite.node.image_references import default_policy, parse_error, registry_of
from kubelite.node.runtime import EngineError, EngineGone, Image, PullFailed, RegistryUnavailable, Runtime
from kubelite.node.view import field_path
from kubelite.objects import meta
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

BACKOFF_FIRST = 10
BACKOFF_CAP = 300
NOTICE = 1.0  # how long ErrImagePull is shown before it turns into ImagePullBackOff
PATIENCE = 3.0  # for a registry whose image is here anyway
SILENCE = 300.0  # a registry that didn't answer isn't asked again for this long while the image is here


class StartFailure(Exception):
    """A container can't be started now: its waiting reason and message, and when to try again."""

    def __init__(self, reason: str, message: str, retry_at: datetime | None) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.retry_at = retry_at


class ImageFailure(StartFailure):
    """Its image is what it can't be started for."""


@dataclass(slots=True)
class _Backoff:
    seconds: int
    until: datetime
    error: str


class Images:
    """Shared by all pods of the node."""

    def __init__(self, client: Client, recorder: Recorder, runtime: Runtime, now: Callable[[], datetime]) -> None:
        self._client = client
        self._recorder = recorder
        self._runtime = runtime
        self._now = now
        self._backoffs: dict[tuple[str, str], _Backoff] = {}
        self._silent: dict[str, float] = {}  # registry -> when to ask it again
        self._locks: dict[str, asyncio.Lock] = {}

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        for key in [key for key in self._backoffs if key[0] == uid]:
            del self._backoffs[key]

    async def ensure(self, pod: Obj, container: Obj) -> Image:
        """The image, pulled if need be; ImageFailure with upstream's reason when that doesn't work."""
        reference = container["image"]
        path = field_path(pod, container["name"])
        self._tell_missing_secrets(pod)
        if problem := parse_error(reference):
            problem = f'couldn\'t parse image name "{reference}": {problem}'
            message = f'Failed to apply default image tag "{reference}": {problem}'
            raise self._refused(pod, path, "InvalidImageName", "InspectFailed", message)
        present = await self._present(pod, reference, path)
        policy = container.get("imagePullPolicy") or default_policy(reference)
        if present is None and policy == "Never":
            message = f'Container image "{reference}" is not present with pull policy of Never'
            raise self._refused(pod, path, "ErrImageNeverPull", "ErrImageNeverPull", message)
        if present is not None and policy != "Always":
            message = f'Container image "{reference}" already present on machine'
            self._recorder.event(pod, "Normal", "Pulled", message, path)
            return present
        async with self._locks.setdefault(reference, asyncio.Lock()):
            return await self._pull(pod, reference, path, present)

    async def _present(self, pod: Obj, reference: str, path: str) -> Image | None:
        try:
            return await self._runtime.image(reference)
        except EngineGone:
            raise
        except EngineError as error:
            message = f'Failed to inspect image "{reference}": {error}'
            raise self._refused(pod, path, "ImageInspectError", "InspectFailed", message) from error

    def _refused(self, pod: Obj, path: str, reason: str, event: str, message: str) -> ImageFailure:
        self._recorder.event(pod, "Warning", event, message, path)
        return ImageFailure(reason, message, self._now() + timedelta(seconds=BACKOFF_FIRST))

    async def _pull(self, pod: Obj, reference: str, path: str, present: Image | None) -> Image:
        if present is not None and self._silent.get(registry_of(reference), 0) > time.monotonic():
            return self._fallback(pod, reference, path, present, "no registry answers")
        key = (meta.uid(pod), reference)
        backoff = self._backoffs.get(key)
        if backoff is not None and backoff.until > self._now():
            raise self._held_back(pod, reference, path, backoff)
        self._recorder.event(pod, "Normal", "Pulling", f'Pulling image "{reference}"', path)
        begun = time.monotonic()
        try:
            patience = PATIENCE if present else None
            image = await self._runtime.pull(reference, self._credentials(pod, reference), patience)
        except PullFailed as error:
            if isinstance(error, RegistryUnavailable) and present is not None:
                self._silent[registry_of(reference)] = time.monotonic() + SILENCE
                return self._fallback(pod, reference, path, present, str(error))
            raise self._failed(pod, reference, path, str(error)) from error
        self._backoffs.pop(key, None)
        self._pulled(pod, reference, path, image, time.monotonic() - begun)
        return image

    def _pulled(self, pod: Obj, reference: str, path: str, image: Image, took: float) -> None:
        spent = f"{took:.3f}s" if took >= 1 else f"{took * 1000:.0f}ms"
        message = f'Successfully pulled image "{reference}" in {spent} ({spent} including waiting).'
        self._recorder.event(pod, "Normal", "Pulled", f"{message} Image size: {image.size} bytes.", path)

    def _fallback(self, pod: Obj, reference: str, path: str, present: Image, why: str) -> Image:
        message = f'Failed to pull image "{reference}": {why}; using the image present on machine'
        self._recorder.event(pod, "Warning", "LocalImageUsed", message, path)
        return present

    def _failed(self, pod: Obj, reference: str, path: str, why: str) -> ImageFailure:
        old = self._backoffs.get((meta.uid(pod), reference))
        seconds = min(old.seconds * 2, BACKOFF_CAP) if old else BACKOFF_FIRST
        until = self._now() + timedelta(seconds=seconds)
        self._backoffs[meta.uid(pod), reference] = _Backoff(seconds, until, why)
        self._recorder.event(pod, "Warning", "Failed", f'Failed to pull image "{reference}": {why}', path)
        return ImageFailure("ErrImagePull", why, self._now() + timedelta(seconds=NOTICE))

    def _held_back(self, pod: Obj, reference: str, path: str, backoff: _Backoff) -> ImageFailure:
        message = f'Back-off pulling image "{reference}"'
        self._recorder.event(pod, "Normal", "BackOff", message, path)
        return ImageFailure("ImagePullBackOff", f"{message}: ErrImagePull: {backoff.error}", backoff.until)

    def _credentials(self, pod: Obj, reference: str) -> list[Mapping[str, str]]:
        """Of the pod's imagePullSecrets, those for the image's registry."""
        found = [secret for secret in self._pull_secrets(pod).values() if secret is not None]
        return [login for secret in found for login in credentials_in(secret, registry_of(reference))]

    def _pull_secrets(self, pod: Obj) -> dict[str, Obj | None]:
        names = [ref["name"] for ref in pod["spec"].get("imagePullSecrets") or () if ref.get("name")]
        return {name: self._client.find("secrets", meta.namespace(pod), name) for name in names}

    def _tell_missing_secrets(self, pod: Obj) -> None:
        if missing := [name for name, secret in self._pull_secrets(pod).items() if secret is None]:
            message = f"Unable to retrieve some image pull secrets ({', '.join(missing)})"
            message += "; attempting to pull the image may not succeed."
            self._recorder.event(pod, "Warning", "FailedToRetrieveImagePullSecret", message)


def credentials_in(secret: Obj, registry: str) -> list[Mapping[str, str]]:
    data = secret.get("data") or {}
    try:
        if encoded := data.get(".dockerconfigjson"):
            entries = json.loads(base64.b64decode(encoded)).get("auths") or {}
        else:
            entries = json.loads(base64.b64decode(data.get(".dockercfg") or "e30="))
        return [_login(entry) for host, entry in entries.items() if _same_registry(host, registry)]
    except (ValueError, AttributeError):
        return []


def _same_registry(host: str, registry: str) -> bool:
    bare = host.removeprefix("https://").removeprefix("http://").split("/")[0]
    return bare == registry or (registry == "docker.io" and bare in ("index.docker.io", "registry-1.docker.io"))


def _login(entry: Obj) -> Mapping[str, str]:
    user, _, password = base64.b64decode(entry.get("auth") or "").decode().partition(":")
    return {"username": entry.get("username") or user, "password": entry.get("password") or password}
