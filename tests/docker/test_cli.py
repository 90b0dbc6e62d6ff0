"""The commands on a real engine: a cluster's whole life, and the walk-through of the notes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from kubelite.testing.sessions import own_name
from tests.docker.commands import Commands, left_on_engine

NAME = own_name("cli")
KUBECTL = [[], ["--without-kubectl"]] if shutil.which("kubectl") else [["--without-kubectl"]]


@pytest.fixture(scope="module")
def kubelite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Commands]:
    """Nothing is left of the cluster afterwards."""
    commands = Commands(tmp_path_factory.mktemp("home"))
    try:
        yield commands
    finally:
        commands("delete", "--name", NAME)


@pytest.fixture(scope="module")
def directory(kubelite: Commands) -> Path:
    """Of the cluster, which is up."""
    kubelite("up", "--name", NAME)
    return kubelite.home / NAME


def test_up_says_what_to_type_next_and_is_quick_the_second_time(kubelite: Commands, directory: Path) -> None:
    again = kubelite("up", "--name", NAME).stdout
    assert f"cluster {NAME} is up already" in again
    assert f"export KUBECONFIG={directory}/kubeconfig" in again
    assert (directory / "kubeconfig").stat().st_mode & 0o777 == 0o600


def test_status_tells_every_part(kubelite: Commands, directory: Path) -> None:
    told = {line.split()[0]: line for line in kubelite("status", "--name", NAME).stdout.splitlines()}
    assert list(told) == ["cluster", "engine", "API", "node", "DNS", "services", "pods", "volumes"]
    assert told["node"].endswith(f"{NAME} Ready")
    assert " ready" in told["DNS"]


def test_merged_kubeconfig_keeps_what_was_there(kubelite: Commands, directory: Path, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("apiVersion: v1\nkind: Config\nclusters: [{name: work, cluster: {server: 'https://work'}}]\n")
    kubelite("kubeconfig", "--name", NAME, "--merge", KUBECONFIG=str(config))
    merged = yaml.safe_load(config.read_text())
    assert [entry["name"] for entry in merged["clusters"]] == ["work", f"kubelite-{NAME}"]
    assert merged["current-context"] == f"kubelite-{NAME}"


@pytest.mark.parametrize("options", KUBECTL, ids=lambda options: " ".join(options) or "kubectl")
def test_demo_is_as_in_the_notes(options: list[str], kubelite: Commands, directory: Path) -> None:
    told = kubelite("demo", "--name", NAME, *options).stdout
    assert "all as in the notes" in told
    assert told.count("\n# ") == 11
    assert 'spec.serviceNam: unknown field; did you mean "serviceName"?' in told


def test_volumes_lists_claims_with_their_pods(kubelite: Commands, directory: Path) -> None:
    claim = "default/test-statefulset-test-1"
    rows = [line.split() for line in kubelite("volumes", "--name", NAME).stdout.splitlines()]
    found = next(row for row in rows if row[0] == claim)
    assert found[3] == "statefulset-test-1"
    assert [path.name for path in Path(found[4]).iterdir()] == ["t1"]


def test_down_and_up_keep_objects_and_files(kubelite: Commands, directory: Path) -> None:
    manifest = directory.parent / "map.yaml"
    manifest.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: kept}\ndata: {a: b}\n")
    assert kubelite("apply", "--name", NAME, "-f", str(manifest)).stdout == "configmap/kept created\n"
    kubelite("down", "--name", NAME)
    status = kubelite("status", "--name", NAME, code=1).stdout
    assert "down" in status
    assert f"type: kubelite up --name {NAME}" in status
    kubelite("apply", "--name", NAME, "-f", str(manifest), code=1)
    kubelite("up", "--name", NAME)
    assert kubelite("apply", "--name", NAME, "-f", str(manifest)).stdout == "configmap/kept unchanged\n"


def test_range_of_an_existing_cluster_can_not_change(kubelite: Commands, directory: Path) -> None:
    told = kubelite("up", "--name", NAME, "--service-cidr", "10.200.0.0/16", code=1).stderr
    assert "was created with service range" in told


def test_delete_keeps_the_volumes_when_asked_and_nothing_else(
    kubelite: Commands, directory: Path, tmp_path: Path
) -> None:
    (directory / "volumes" / "mine").mkdir()
    config = tmp_path / "config"
    kubelite("kubeconfig", "--name", NAME, "--merge", KUBECONFIG=str(config))
    kubelite("delete", "--name", NAME, "--keep-volumes", KUBECONFIG=str(config))
    assert yaml.safe_load(config.read_text())["contexts"] == []
    assert left_on_engine(NAME) == []
    assert [path.name for path in directory.iterdir()] == ["volumes"]
    assert (directory / "volumes" / "mine").is_dir()
    kubelite("delete", "--name", NAME)
    assert not directory.exists()
    assert kubelite("delete", "--name", NAME).stdout == f"there is no cluster {NAME}\n"


def test_images_are_listed(kubelite: Commands) -> None:
    rows = [line.split() for line in kubelite("images", "list").stdout.splitlines()]
    assert [row[0] for row in rows[1:]] == ["pause", "httpd", "tools", "kubelite"]
    assert "missing" not in [row[2] for row in rows]


def test_engine_that_answers_is_named(kubelite: Commands) -> None:
    assert kubelite("engine", "status").stdout.startswith(("Docker ", "Podman "))
