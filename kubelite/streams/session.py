"""Runs one exec or attach: copies between a client and a process until the process ends or the client goes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec

from kubelite.node.process import Process, ProcessFactory
from kubelite.node.runtime import EngineError, NoSuchContainer
from kubelite.streams.remote import Remote, Status

SUCCESS: Status = {"metadata": {}, "status": "Success"}
StatusOf = Callable[[int], Status]


async def run(remote: Remote, start: ProcessFactory, status_of: StatusOf, doing: str) -> None:
    """Start the process and serve the client; `status_of` turns its exit code into the answer, `doing` names the
    action in the answer when it fails."""
    try:
        process = await start()
    except NoSuchContainer as error:
        await _finish(remote, internal_error(str(error)))
        return
    except EngineError as error:
        await _finish(remote, internal_error(f"error {doing} container: {error}"))
        return
    try:
        await _copy(remote, process, status_of, doing)
    finally:
        await process.close()


async def _copy(remote: Remote, process: Process, status_of: StatusOf, doing: str) -> None:
    output = asyncio.create_task(_copy_output(remote, process))
    gone = asyncio.create_task(remote.lost.wait())
    helpers = [asyncio.create_task(_copy_input(remote, process)), asyncio.create_task(_copy_sizes(remote, process))]
    try:
        await asyncio.wait((output, gone), return_when=asyncio.FIRST_COMPLETED)
        if not output.done():
            return  # nobody listens: the process is left alone
        try:
            output.result()
            status = status_of(await process.wait())
        except EngineError as error:
            status = internal_error(f"error {doing} container: {error}")
        await _finish(remote, status)
    except ConnectionError:
        pass  # the client went while it was written to
    finally:
        tasks = (output, gone, *helpers)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _copy_output(remote: Remote, process: Process) -> None:
    while piece := await process.read():
        await remote.write(*piece)


async def _copy_input(remote: Remote, process: Process) -> None:
    try:
        while data := await remote.stdin.read():
            await process.write(data)
        await process.close_stdin()
    except ConnectionError:
        remote.stdin.discard()  # it reads no more; what the client still sends must not hold up the rest


async def _copy_sizes(remote: Remote, process: Process) -> None:
    text = b""
    while data := await remote.resize.read():
        sizes, text = terminal_sizes(text + data)
        for width, height in sizes[-1:]:
            await process.resize(width, height)


def terminal_sizes(text: bytes) -> tuple[list[tuple[int, int]], bytes]:
    """The sizes in a stream of JSON objects, and the beginning of an unfinished one."""
    *objects, rest = text.replace(b"}", b"}\0").split(b"\0")
    sizes = []
    for item in objects:
        try:
            size = msgspec.json.decode(item, type=TerminalSize)
        except msgspec.DecodeError:
            continue
        if size.width > 0 and size.height > 0:  # kubectl without a terminal sends zeros
            sizes.append((size.width, size.height))
    return sizes, rest


class TerminalSize(msgspec.Struct, rename="pascal"):
    width: int = 0
    height: int = 0


async def _finish(remote: Remote, status: Status) -> None:
    with contextlib.suppress(ConnectionError):
        await remote.finish(status)


def internal_error(message: str) -> Status:
    return {
        "metadata": {},
        "status": "Failure",
        "message": f"Internal error occurred: {message}",
        "reason": "InternalError",
        "details": {"causes": [{"message": message}]},
        "code": 500,
    }
