"""Packages are installed quietly and their services kept from starting."""

from __future__ import annotations

import stat
import subprocess
from pathlib import Path

import pytest

from kubelite.engine import EngineError, packages


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "policy-rc.d"
    monkeypatch.setattr(packages, "POLICY", path)
    return path


def test_services_are_denied_only_inside(policy: Path) -> None:
    with packages.services_denied(policy):
        assert subprocess.run([str(policy)]).returncode == 101
    assert not policy.exists()


def test_policy_that_was_there_comes_back_as_it_was(policy: Path) -> None:
    policy.write_text("#!/bin/sh\nexit 0\n")
    policy.chmod(0o700)
    with pytest.raises(RuntimeError), packages.services_denied(policy):
        raise RuntimeError
    assert policy.read_text() == "#!/bin/sh\nexit 0\n"
    assert stat.S_IMODE(policy.stat().st_mode) == 0o700


def test_policy_left_by_a_killed_run_is_removed(policy: Path) -> None:
    with packages.services_denied(policy):
        left = policy.read_text()
    policy.write_text(left)
    with packages.services_denied(policy):
        assert policy.exists()
    assert not policy.exists()


class Apt:
    """apt-get with scripted results; remembers the verbs."""

    def __init__(self, *results: int) -> None:
        self.results = list(results)
        self.verbs: list[str] = []

    def __call__(self, command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        self.verbs.append(command[1])
        return subprocess.CompletedProcess(command, self.results.pop(0), "", "E: Unable to locate package")


def test_package_lists_are_fetched_only_when_the_first_try_fails(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for apt, verbs in ((Apt(0), ["install"]), (Apt(100, 0, 0), ["install", "update", "install"])):
        monkeypatch.setattr(subprocess, "run", apt)
        packages.install(["docker.io"], lambda line: None)
        assert apt.verbs == verbs


def test_failure_shows_what_apt_said_and_what_to_type(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", Apt(100, 0, 100))
    with pytest.raises(EngineError, match="Unable to locate package") as failure:
        packages.install(["docker.io"], lambda line: None)
    assert "apt-get install docker.io" in failure.value.cure
