"""Running a cluster's control plane: in this process, or as a daemon that outlives it.

`start` forks, so the daemon begins with every module loaded; a pipe carries its progress and its verdict back.
Called by the CLI and the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gc
import json
import logging
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence

from kubelite.cluster import AlreadyRunning, Cluster, Images, sole_server
from kubelite.config import Settings
from kubelite.engine import find
from kubelite.engine.find import Endpoint
from kubelite.lifecycle import StartFailed, status, stop_control_plane
from kubelite.lifecycle.stop import END_ALL

Progress = Callable[[str], None]
Report = Callable[[str, str], None]  # kind (progress, ready, error), text

READY_SECONDS = 120.0
PATIENCE_SECONDS = 0.7
LOOK_SECONDS = 0.1
CALL_OFF_SECONDS = 10.0
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def run(settings: Settings, endpoint: Endpoint, images: Images, report: Report) -> None:
    """Serve in this process until SIGTERM or SIGINT, while pods go on, or until SIGUSR1, with which they end."""
    logging.basicConfig(level=logging.INFO, format=_LOG_FORMAT, force=True)
    for noisy in ("urllib3", "docker", "asyncio", "aiohttp.access"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    with sole_server(settings):
        asyncio.run(_serve(settings, endpoint, images, report))


async def _serve(settings: Settings, endpoint: Endpoint, images: Images, report: Report) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    cluster = Cluster(settings, find.connect(endpoint, pool_size=24), images)

    def end_all() -> None:
        cluster.ends_pods = True
        stop.set()

    loop.add_signal_handler(END_ALL, end_all)

    async def tell() -> None:
        try:
            await cluster.wait_until_ready()
        except StopAsyncIteration:
            return  # it was stopped before
        report("ready", "")
        # What was loaded so far lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()

    watcher = asyncio.create_task(tell())
    try:
        await cluster.run(stop)
    finally:
        watcher.cancel()


def start(settings: Settings, endpoint: Endpoint, images: Images, progress: Progress) -> None:
    """Start the daemon and wait until it is ready; StartFailed when it isn't to be."""
    reading, writing = os.pipe()
    settings.directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _become_daemon(settings, endpoint, images, writing)
    try:
        os.close(writing)
        os.waitpid(child, 0)
        _follow(reading, settings, progress)
    except KeyboardInterrupt:
        _call_off(reading, settings, progress)
        raise
    finally:
        os.close(reading)


def _call_off(descriptor: int, settings: Settings, progress: Progress) -> None:
    """The daemon may not have left its pid yet; it has ended once its end of the pipe is closed."""
    deadline = time.monotonic() + CALL_OFF_SECONDS
    while not stop_control_plane(settings, progress) and time.monotonic() < deadline:
        if select.select([descriptor], [], [], LOOK_SECONDS)[0] and not os.read(descriptor, 65536):
            return


def wait(settings: Settings, progress: Progress) -> bool:
    """Until the control plane that runs already is ready; False when it ends, as it may be about to."""
    deadline = time.monotonic() + READY_SECONDS
    waiting: Sequence[str] = ()
    while not (now := status(settings)).ready:
        if now.pid is None:
            return False
        if time.monotonic() > deadline:
            raise StartFailed(_not_ready(waiting))
        if now.failing != waiting:
            waiting = now.failing
            progress("waiting: " + "; ".join(waiting))
        time.sleep(LOOK_SECONDS)
    return True


def _not_ready(waiting: Sequence[str]) -> str:
    return f"not ready after {READY_SECONDS:.0f} s, and still trying: {'; '.join(waiting)}"


def _follow(descriptor: int, settings: Settings, progress: Progress) -> None:
    """Pass on what the daemon reports; while it says nothing, tell what it waits for."""
    deadline = time.monotonic() + READY_SECONDS
    waiting: Sequence[str] = ()
    for line in _lines(descriptor):
        if line is None:
            before, waiting = waiting, status(settings).failing
            if waiting and waiting != before:
                progress("waiting: " + "; ".join(waiting))
            if time.monotonic() > deadline:
                break
            continue
        kind, text = json.loads(line)
        if kind == "ready":
            return
        if kind == "error":
            raise StartFailed(text)
        progress(text)
    else:
        raise StartFailed("it ended before it was ready")
    raise StartFailed(_not_ready(waiting))


def _lines(descriptor: int) -> Iterator[bytes | None]:
    """Lines until the other end is closed, and None whenever nothing came for a while."""
    rest = b""
    while True:
        if not select.select([descriptor], [], [], PATIENCE_SECONDS)[0]:
            yield None
            continue
        content = os.read(descriptor, 65536)
        if not content:
            return
        *whole, rest = (rest + content).split(b"\n")
        yield from whole


def _become_daemon(settings: Settings, endpoint: Endpoint, images: Images, writing: int) -> None:
    """The child's side; never returns."""
    code = 1
    try:
        os.setsid()
        if os.fork() != 0:
            os._exit(0)
        _redirect(settings)
        with _reporter(writing) as report:
            try:
                run(settings, endpoint, images, report)
                code = 0
            except AlreadyRunning:
                report("error", f"another process is already serving cluster {settings.name}")
            except BaseException as error:
                traceback.print_exc()
                report("error", _text(error, settings))
    finally:
        os._exit(code)


def _text(error: BaseException, settings: Settings) -> str:
    if isinstance(error, BaseExceptionGroup):
        return _text(error.exceptions[0], settings)
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"{settings.directory}: {error.strerror}"  # who can't write to a full disk doesn't say to which
    return str(error) or type(error).__name__


def _redirect(settings: Settings) -> None:
    log = os.open(settings.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    os.close(null)
    os.chdir("/")


@contextlib.contextmanager
def _reporter(descriptor: int) -> Iterator[Report]:
    """Lines of JSON to whoever started the daemon, as long as it listens."""
    pipe = os.fdopen(descriptor, "w", buffering=1)

    def report(kind: str, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):
            pipe.write(json.dumps([kind, text]) + "\n")
            if kind != "progress":
                pipe.close()

    yield report
