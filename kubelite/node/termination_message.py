"""What a container leaves behind when it ends: its message file, or the end of its log. Called by the pod worker."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from kubelite.node.runtime import Container, Runtime
from kubelite.node.view import container_of
from kubelite.objects.meta import Obj

FILE_BYTES = 4096
LOG_LINES, LOG_BYTES = 80, 2048


def with_message(container: Container) -> Container:
    """With the content of its termination message file."""
    if not container.message_file:
        return container
    try:
        content = Path(container.message_file).read_bytes()[:FILE_BYTES]
    except OSError:
        return container
    return replace(container, message=content.decode(errors="replace"))


def wants_logs_as_message(pod: Obj, container: Container) -> bool:
    spec = container_of(pod, container.name) or {}
    policy = spec.get("terminationMessagePolicy")
    return policy == "FallbackToLogsOnError" and container.exit_code != 0 and not container.message


async def with_logs_as_message(runtime: Runtime, container: Container) -> Container:
    return replace(container, message=await runtime.tail(container.id, LOG_LINES, LOG_BYTES))
