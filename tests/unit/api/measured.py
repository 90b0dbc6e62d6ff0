"""What pods use, as tests say."""

from __future__ import annotations

from collections.abc import Iterable

from kubelite.node.usage import Usage
from kubelite.objects import meta
from kubelite.objects.meta import Obj


class Measured:
    """Every container of every pod that is asked for uses 250m and 3 MiB, and has used 12.5 s so far."""

    async def of(self, pods: Iterable[Obj]) -> dict[str, dict[str, Usage]]:
        return {
            meta.uid(pod): {
                container["name"]: Usage(250_000_000, 3 << 20, 15.02, 7, 12_500_000_000)
                for container in pod["spec"]["containers"]
            }
            for pod in pods
        }
