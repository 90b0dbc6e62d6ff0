"""One command inside a container, to its end or a deadline: probes and hooks. Called by docker_runtime."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from docker import DockerClient

from kubelite.node.docker_streams import exec_process
from kubelite.node.runtime import ExecResult, ExecTimeout

OUTPUT_LIMIT = 10 * 1024


async def execute(client: DockerClient, container_id: str, command: Sequence[str], seconds: float | None) -> ExecResult:
    """Run `command`; the engine has no way to end it, so after the deadline it is left alone."""
    try:
        async with asyncio.timeout(seconds):
            return await _run(client, container_id, list(command))
    except TimeoutError:
        raise ExecTimeout(f'"{" ".join(command)}" timed out after {seconds:g}s') from None


async def _run(client: DockerClient, container_id: str, command: list[str]) -> ExecResult:
    process = await exec_process(client, container_id, command, stdin=False, stdout=True, stderr=True, tty=False)
    output = bytearray()
    try:
        while (piece := await process.read()) is not None:
            if len(output) < OUTPUT_LIMIT:
                output += piece[1]
        return ExecResult(await process.wait(), output[:OUTPUT_LIMIT].decode(errors="replace"))
    finally:
        await process.close()
