"""What a command could not do, as the user reads it."""

from __future__ import annotations


class Failure(Exception):
    """Ends the command with exit code 1: `message` says what is wrong, `cure` what to type about it."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cure = cure
