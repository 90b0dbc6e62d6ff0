"""One pod's share of the disk, over its life: set up, kept fresh, removed. Held by the pod worker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

from kubelite.node import eviction, memory_volumes, volumes
from kubelite.node.host_volumes import Volume
from kubelite.node.pod_setup import pod_tokens, volume_context, write_etc
from kubelite.node.services import Services
from kubelite.node.sources import PodSources
from kubelite.node.volumes import VolumeContext, VolumesFailed
from kubelite.objects.meta import Obj

RETRY_FIRST = 0.5
RETRY_CAP = 122.0


class PodDisk:
    """`ready` once everything is there; `stale` when the sources of volumes changed since."""

    def __init__(self, services: Services, uid: str) -> None:
        self._services = services
        self.directory: Path = services.settings.pods / uid
        self._memory = memory_volumes.directory_of(services.settings.name, uid)
        self.volumes: Mapping[str, Volume] = {}
        self.ready = False
        self.stale = False
        self.retry_at: datetime | None = None
        self._failures = 0
        self.sources = PodSources(services)
        self._tokens = pod_tokens(services)

    def sources_changed(self) -> None:
        self.stale = True
        self.retry_at = None

    def put_off(self) -> None:
        """It didn't work: later again, ever later."""
        delay = min(RETRY_FIRST * 2**self._failures, RETRY_CAP)
        self._failures += 1
        self.retry_at = self._services.now() + timedelta(seconds=delay)

    async def set_up(self, pod: Obj, address: str) -> None:
        self.stale = False
        for warning in await asyncio.to_thread(write_etc, self._services, pod, address, self.directory):
            self._services.recorder.event(pod, "Warning", "DNSConfigForming", warning)
        try:
            self.volumes = await asyncio.to_thread(volumes.set_up, pod, self._context(pod, address))
        except VolumesFailed as error:
            self._tell(pod, error)
            if not self.stale:
                self.put_off()
            return
        self.ready, self._failures = True, 0

    async def refresh(self, pod: Obj, address: str) -> None:
        self.stale = False
        try:
            await asyncio.to_thread(volumes.refresh, pod, self._context(pod, address))
        except VolumesFailed as error:
            self._tell(pod, error)

    def _tell(self, pod: Obj, failed: VolumesFailed) -> None:
        for problem in failed.problems:
            self._services.recorder.event(pod, "Warning", "FailedMount", problem)

    def _context(self, pod: Obj, address: str) -> VolumeContext:
        around = self.sources.around(pod, address)
        return volume_context(self._services, pod, self.directory, around, self._tokens.token)

    def empty_dirs(self, pod: Obj) -> dict[str, Path]:
        """The directories of the pod's own volumes."""
        names = [volume["name"] for volume in eviction.empty_dirs(pod)]
        return {name: self.volumes[name].path for name in names if name in self.volumes}

    async def tear_down(self) -> None:
        await asyncio.to_thread(volumes.tear_down, self.directory, self._memory)
