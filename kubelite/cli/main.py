"""Entry of the command line: finds the command, runs it, and turns what fails into `error: ...` and an exit code.

0: done; 1: it could not be done; 2: it was typed wrongly; 130: interrupted. Modules of commands load when they run.
"""

from __future__ import annotations

import argparse
import errno
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from kubelite import __version__
from kubelite.cli.failure import Failure
from kubelite.cli.parser import build
from kubelite.cli.progress import Progress

Run = Callable[[argparse.Namespace, Progress], int]


def main(arguments: Sequence[str] | None = None) -> int:
    parsed = build().parse_args(arguments)
    with Progress() as progress:
        try:
            code = _load(parsed.run)(parsed, progress)
            sys.stdout.flush()
        except KeyboardInterrupt:
            progress.wipe()
            sys.stderr.write("interrupted\n")
            return 130
        except BrokenPipeError:
            # Whoever read our output has had enough; nothing more may be written, also not at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 1
        except Exception as error:
            told = explain(_known(error, parsed))
            if told is None:
                raise
            progress.wipe()
            sys.stderr.write(told)
            return 1
    return code


def _load(target: str) -> Run:
    module, function = target.split(":")
    run: Run = getattr(importlib.import_module(f"kubelite.cli.{module}"), function)
    return run


def _known(error: Exception, parsed: argparse.Namespace) -> Exception:
    """A command that talks to the API of a cluster that is down gets no connection."""
    if not isinstance(error, ConnectionRefusedError) or "name" not in parsed:
        return error
    from kubelite.cli.client import not_up
    from kubelite.config import Settings

    return not_up(Settings(name=parsed.name))


def explain(error: Exception) -> str | None:
    """What to print for an error that a user can do something about; None for a bug of ours."""
    from kubelite.engine import EngineError

    if isinstance(error, Failure | EngineError):
        return f"error: {error.message}\n{error.cure}\n" if error.cure else f"error: {error.message}\n"
    if isinstance(error, OSError) and error.strerror:
        from kubelite.config import home

        where = error.filename or (home() if error.errno in (errno.ENOSPC, errno.EDQUOT) else "")
        return f"error: {where}: {error.strerror}\n" if where else f"error: {error.strerror}\n"
    if type(error).__module__.partition(".")[0] in ("docker", "requests", "urllib3"):
        return f"error: the container engine: {getattr(error, 'explanation', None) or error}\n"
    return None


def version(arguments: argparse.Namespace, progress: Progress) -> int:
    from kubelite.config import KUBERNETES_VERSION

    print(f"kubelite {__version__} (Kubernetes API {KUBERNETES_VERSION})")
    return 0
