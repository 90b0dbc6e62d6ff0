"""What the plugin costs those who don't use it."""

from __future__ import annotations

import subprocess
import sys

LOADED = """
import sys, pytest
before = set(sys.modules)
import kubelite.testing.plugin
print(*sorted(set(sys.modules) - before))
"""


def test_plugin_imports_nothing_but_itself() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kubelite", "kubelite.testing", "kubelite.testing.plugin"]
