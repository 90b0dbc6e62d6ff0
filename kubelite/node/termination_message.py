"""What a container leaves behind when it ends: the end of its message file, or of its log. Called by the pod worker."""

from __future__ import annotations

import os
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
        content = _end_of(Path(container.message_file), FILE_BYTES)
    except FileNotFoundError:
        return container
    except OSError as error:
        said = (error.strerror or "").lower()
        path = container.message_file
        return replace(container, message=f"Error on reading termination log {path}: open {path}: {said}")
    return replace(container, message=content.decode(errors="replace"))


def _end_of(path: Path, room: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(os.fstat(file.fileno()).st_size - room, 0))
        return file.read(room)


def wants_logs_as_message(pod: Obj, container: Container) -> bool:
    spec = container_of(pod, container.name) or {}
    policy = spec.get("terminationMessagePolicy")
    ran = container.started_at is not None
    return policy == "FallbackToLogsOnError" and container.exit_code != 0 and ran and not container.message


async def with_logs_as_message(runtime: Runtime, container: Container) -> Container:
    return replace(container, message=await runtime.tail(container.id, LOG_LINES, LOG_BYTES))
