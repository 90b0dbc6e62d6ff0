"""What containers use: as the node measures it, `kubectl top` shows it and the autoscaler scales by it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from kubelite.objects.meta import Obj


class Usage(Protocol):
    """What a container used over the `window` seconds that ended `age` seconds ago."""

    @property
    def cpu(self) -> int:
        """Nanocores."""

    @property
    def memory(self) -> int:
        """Bytes."""

    @property
    def total(self) -> int:
        """Nanoseconds of processor time since it started."""

    @property
    def window(self) -> float: ...

    @property
    def age(self) -> float: ...


Measured = Mapping[str, Mapping[str, Usage]]  # by pod uid and container name; containers that don't run are left out


class Meter(Protocol):
    async def of(self, pods: Iterable[Obj]) -> Measured: ...
