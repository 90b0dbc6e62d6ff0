"""What every pod worker of the node shares. Made by the kubelet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from kubelite.config import Settings
from kubelite.node.fields import UNKNOWN_MACHINE, Machine
from kubelite.node.images import Images
from kubelite.node.runtime import Runtime
from kubelite.objects.meta import Obj
from kubelite.registry.client import Client, Recorder

TokenProvider = Callable[[str, str, str, int, Obj], str]  # namespace, service account, audience, expiration, pod


class Addresses(Protocol):
    """The pod network's addresses; owners are pod uids. Implemented by `kubelite.net.ipam`."""

    def allocate(self, owner: str, wanted: str = "") -> str:
        """ValueError when the wanted one, or any, is not to be had."""
        ...

    def reserve(self, owner: str, address: str) -> bool: ...

    def release(self, owner: str) -> None: ...


@dataclass(slots=True)
class Services:
    """The node's parts and facts."""

    client: Client
    recorder: Recorder
    runtime: Runtime
    settings: Settings
    addresses: Addresses
    images: Images
    pause_image: str
    cluster_dns: Callable[[], str]  # the name server that a pod made now is told of
    token: TokenProvider
    now: Callable[[], datetime]
    machine: Machine = UNKNOWN_MACHINE
    engine_names: set[str] = field(default_factory=set)  # of containers that exist

    @property
    def host_address(self) -> str:
        return str(self.settings.gateway)


class Signal:
    """Wakes everybody who waits at that moment."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def notify(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None = None) -> None:
        """Until the next `notify`, or for so many seconds."""
        event = self._event
        try:
            async with asyncio.timeout(seconds):
                await event.wait()
        except TimeoutError:
            return
