"""What a command is doing right now, on stderr: one line rewritten in place on a terminal, plain lines elsewhere.

The functions below the command line take it as their `progress`; some call it from several threads.
"""

from __future__ import annotations

import shutil
import sys
import threading
from types import TracebackType
from typing import TextIO

_CLEAR = "\r\x1b[K"


class Progress:
    """Call it with a line; leaving the `with` block wipes the last line off a terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._shown = False
        self._lock = threading.Lock()

    def __call__(self, line: str) -> None:
        with self._lock:
            if self._terminal:
                width = shutil.get_terminal_size().columns - 1
                self._stream.write(_CLEAR + line.replace("\n", " ")[:width])
                self._shown = True
            else:
                self._stream.write(f"{line}\n")
            self._stream.flush()

    def wipe(self) -> None:
        """Before anything else is printed."""
        with self._lock:
            if self._shown:
                self._stream.write(_CLEAR)
                self._stream.flush()
                self._shown = False

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.wipe()
