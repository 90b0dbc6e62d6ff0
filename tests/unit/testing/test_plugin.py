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


def test_report_is_loaded_with_the_namespace() -> None:
    """Not when a test fails: at the bottom of a recursion that has just gone too deep, nothing can be compiled."""
    code = "import sys, kubelite.testing.namespace; print('kubelite.testing.report' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True\n"
