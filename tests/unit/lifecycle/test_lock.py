"""One command at a time on one cluster."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kubelite.config import Settings
from kubelite.lifecycle.lock import alone

HOLD = """
import sys
from pathlib import Path
from kubelite.config import Settings
from kubelite.lifecycle.lock import alone
with alone(Settings(home=Path(sys.argv[1])), print):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_second_command_says_that_it_waits_and_goes_on_after_the_first(tmp_path: Path) -> None:
    settings, told = Settings(home=tmp_path), list[str]()
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdin is not None
        assert first.stdout.readline() == "held\n"
        holder = first

        def tell(line: str) -> None:
            told.append(line)
            assert holder.stdin is not None
            holder.stdin.close()

        with alone(settings, tell):
            assert first.wait(10) == 0
    assert told == ["waiting for another command that is at work on cluster kubelite"]
    assert list(tmp_path.iterdir()) == []
