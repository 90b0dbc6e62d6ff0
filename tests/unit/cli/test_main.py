"""The command line's edge: options, exit codes, errors without tracebacks."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from ipaddress import IPv4Network
from pathlib import Path

import pytest

from kubelite.cli import cluster
from kubelite.cli import main as edge
from kubelite.cli.failure import Failure
from kubelite.cli.main import explain, main
from kubelite.config import Settings, home
from kubelite.engine import EngineError, silent
from kubelite.pki import Authority, kubeconfig, write_kubeconfig


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["up", "--name", "Web"], "'Web' is not a cluster name"),
        (["up", "--name", "../x"], "'../x' is not a cluster name"),
        (["up", "--pod-cidr", "172.30.0.1/16"], "has host bits set; write it as 172.30.0.0/16"),
        (["up", "--service-cidr", "10.0.0.0/30"], "is too small"),
        (["up", "--api-port", "0"], "'0' is not a port"),
        (["up", "--domain", "a_b"], "'a_b' is not a domain name"),
        (["apply"], "the following arguments are required: -f/--filename"),
        (["frobnicate"], "invalid choice: 'frobnicate'"),
        ([], "the following arguments are required: COMMAND"),
    ],
)
def test_what_is_typed_wrongly_ends_with_2(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert expected in told


def test_version_names_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out == "kubelite 0.1.0 (Kubernetes API v1.32.0)\n"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (Failure("it failed", "type: x"), "error: it failed\ntype: x\n"),
        (EngineError("no engine"), "error: no engine\n"),
        (FileNotFoundError(2, "No such file or directory", "x"), "error: x: No such file or directory\n"),
        (OSError(28, "No space left on device"), f"error: {home()}: No space left on device\n"),
        (ConnectionResetError(104, "Connection reset by peer"), "error: Connection reset by peer\n"),
        (ValueError("a bug"), None),
    ],
)
def test_error_is_told_with_its_cure(error: Exception, expected: str | None) -> None:
    assert explain(error) == expected


def test_interrupt_ends_quietly(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupted(arguments: Namespace, progress: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(edge, "_load", lambda target: interrupted)
    assert main(["version"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_help_loads_no_command() -> None:
    code = "import sys; sys.argv = ['kubelite', '--help']\nfrom kubelite.cli.main import main\ntry: main()\nexcept SystemExit: print('ssl' in sys.modules, 'yaml' in sys.modules, 'docker' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False False False"


@pytest.mark.parametrize("command", ["kubeconfig", "volumes", "status"])
def test_command_about_a_cluster_that_is_not_up_ends_with_1(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    assert main([command, "--name", "other"]) == 1
    told = capsys.readouterr()
    assert "type: kubelite up --name other" in told.err + told.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [["volumes"], ["explain-service", "web"], ["apply", "-f", "map.yaml"], ["status"]],
    ids=lambda one: one[0],
)
def test_command_about_a_cluster_that_is_down_says_so(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("map.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\n")
    settings = Settings(name="other", home=tmp_path, api_port=1)
    settings.save()
    authority = Authority(settings.pki)
    certificate = authority.client_certificate("admin", "kubernetes-admin", ["system:masters"])
    write_kubeconfig(settings.kubeconfig, kubeconfig("other", settings.api_url, authority.ca_pem, *certificate))
    assert main([*command, "--name", "other"]) == 1
    told = capsys.readouterr()
    assert "type: kubelite up --name other" in told.err + told.out


def test_existing_cluster_keeps_its_ranges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    asked = Namespace(name="kubelite", api_port=7000)
    new = cluster.settings_for(asked, silent)
    assert new == Settings(home=tmp_path, api_port=7000)
    new.save()
    assert cluster.settings_for(Namespace(name="kubelite", api_port=None), silent) == new
    with pytest.raises(Failure, match="was created with API port 7000; it can't become 7001"):
        cluster.settings_for(Namespace(name="kubelite", api_port=7001), silent)


def test_what_could_not_be_had_may_be_asked_for_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBELITE_HOME", str(tmp_path))
    taken, free = IPv4Network("172.20.0.0/16"), IPv4Network("172.21.0.0/16")
    Settings(home=tmp_path, pod_cidr=free, asked={"pod_cidr": str(taken)}).save()
    told: list[str] = []
    found = cluster.settings_for(Namespace(name="kubelite", pod_cidr=taken), told.append)
    assert found.pod_cidr == free
    assert told == [f"pod network {taken} was taken when the cluster was created, using {free}"]
    with pytest.raises(Failure, match="can't become"):
        cluster.settings_for(Namespace(name="kubelite", pod_cidr=IPv4Network("172.22.0.0/16")), silent)


def test_what_differs_from_the_documentation_is_told(tmp_path: Path) -> None:
    assert cluster.particulars(Settings(home=tmp_path)) == []
    assert cluster.particulars(Settings(home=tmp_path, api_port=7000)) == ["API port: 7000 (default 6443)"]
