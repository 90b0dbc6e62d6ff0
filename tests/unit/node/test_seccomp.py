"""Profiles that are files of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubelite.node import seccomp
from kubelite.node.runtime import EngineError, Security


def test_local_profile_is_told_by_its_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seccomp, "PROFILES", tmp_path)
    (tmp_path / "audit.json").write_text("{}")
    named = Security(options=("no-new-privileges", "seccomp=localhost/audit.json"))
    assert seccomp.with_profile(named).options == ("no-new-privileges", "seccomp={}")
    missing = Security(options=("seccomp=localhost/none.json",))
    with pytest.raises(EngineError, match=r"cannot load seccomp profile .*none.json: no such file or directory"):
        seccomp.with_profile(missing)
