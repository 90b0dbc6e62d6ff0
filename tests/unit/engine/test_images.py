"""What is built, pulled, kept: decisions against an engine that only remembers."""

from __future__ import annotations

from typing import Any

import docker.errors
import pytest

from kubelite.engine import EngineError, base, builder, images, registry, sources, wheels
from kubelite.engine.images import LABEL, LABEL_SOURCE, State, judge


@pytest.mark.parametrize(
    ("labels", "state"),
    [
        (None, State.MISSING),
        ({}, State.FOREIGN),
        ({LABEL: "tools", LABEL_SOURCE: "now"}, State.FOREIGN),
        ({LABEL: "httpd"}, State.OUTDATED),
        ({LABEL: "httpd", LABEL_SOURCE: "before"}, State.OUTDATED),
        ({LABEL: "httpd", LABEL_SOURCE: "now"}, State.CURRENT),
    ],
)
def test_image_is_judged_by_its_labels(labels: dict[str, str] | None, state: State) -> None:
    assert judge(labels, "httpd", "now") is state


class Engine:
    """Images by tag, as (id, labels); the builder and the puller below write into it."""

    def __init__(self) -> None:
        self.tags: dict[str, tuple[str, dict[str, str]]] = {}
        self.built: list[str] = []
        self.pulled: list[str] = []
        self.registry = False
        self.api = self

    base_url = "http://engine"

    def version(self) -> dict[str, str]:
        return {"Arch": "amd64"}

    def inspect_image(self, reference: str) -> dict[str, Any]:
        for tag, (identity, labels) in self.tags.items():
            if reference in (tag, identity):
                return {"Id": identity, "Size": 1, "Config": {"Labels": labels or None}, "RepoTags": [tag]}
        raise docker.errors.ImageNotFound("no such image")

    def tag(self, identity: str, repository: str, tag: str) -> None:
        labels = next(labels for known, labels in self.tags.values() if known == identity)
        self.tags[f"{repository}:{tag}"] = (identity, labels)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()

    def build(client: Engine, name: str, context: Any, tag: str, arguments: Any, labels: Any, progress: Any) -> None:
        client.built.append(name)
        client.tags[tag] = (f"sha256:{name}-{len(client.built)}", labels)

    def try_pull(client: Engine, reference: str, progress: Any) -> bool:
        if client.registry:
            client.pulled.append(reference)
            client.tags[reference] = (f"sha256:official-{reference}", {})
        return client.registry

    def bootstrap(client: Engine, architecture: str, label: str, progress: Any) -> str:
        client.tags[base.OWN] = ("sha256:base", {label: "base"})
        return base.OWN

    monkeypatch.setattr(builder, "build", build)
    monkeypatch.setattr(builder, "remove_leftovers", lambda client, name, replaced: None)
    monkeypatch.setattr(registry, "try_pull", try_pull)
    monkeypatch.setattr(base, "bootstrap", bootstrap)
    monkeypatch.setattr(wheels, "install", lambda requirements, target, architecture: None)
    return made


def ensure(engine: Engine, *names: str) -> list[str]:
    told: list[str] = []
    images.ensure(engine, names or images.NAMES, told.append)
    return told


def test_everything_is_built_where_no_registry_answers(engine: Engine) -> None:
    ensure(engine)
    assert sorted(engine.built) == ["httpd", "kubelite", "pause", "python", "tools"]
    assert engine.built[-1] == "kubelite"
    assert {image.state for image in images.status(engine)} == {State.CURRENT}
    assert engine.tags["httpd:2.4"] == engine.tags["httpd:latest"]


def test_nothing_is_done_when_all_is_current(engine: Engine) -> None:
    ensure(engine)
    engine.built.clear()
    assert ensure(engine) == []
    assert engine.built == []


def test_httpd_is_pulled_and_the_base_too_where_a_registry_answers(engine: Engine) -> None:
    engine.registry = True
    ensure(engine)
    assert engine.pulled == ["httpd:latest", base.OFFICIAL]
    assert base.OWN not in engine.tags
    assert "httpd" not in engine.built


def test_base_of_the_users_is_taken_as_it_is(engine: Engine) -> None:
    engine.tags[base.OFFICIAL] = ("sha256:debian", {})
    engine.registry = True
    ensure(engine, "pause")
    assert engine.pulled == []
    assert engine.built == ["pause"]


@pytest.mark.parametrize("act", [images.ensure, images.build])
def test_tag_of_the_users_is_left_alone(engine: Engine, act: Any) -> None:
    engine.tags["httpd:latest"] = ("sha256:theirs", {})
    act(engine, ["httpd"])
    assert engine.tags["httpd:latest"] == ("sha256:theirs", {})
    assert engine.built == []


def test_second_tag_of_the_users_is_left_alone(engine: Engine) -> None:
    engine.tags["httpd:2.4"] = ("sha256:theirs", {})
    ensure(engine, "httpd")
    assert engine.tags["httpd:2.4"] == ("sha256:theirs", {})
    assert engine.built == ["httpd"]


def test_change_of_code_rebuilds_only_the_last_layer(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ensure(engine)
    engine.built.clear()
    monkeypatch.setattr(sources, "code_hash", lambda: "changed")
    ensure(engine)
    assert engine.built == ["kubelite"]


def test_change_of_requirements_rebuilds_the_interpreters_image(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensure(engine)
    engine.built.clear()
    monkeypatch.setattr(sources, "requirements", lambda: ["aiohttp>=9"])
    ensure(engine)
    assert engine.built == ["python", "kubelite"]


def test_an_older_image_serves_where_the_new_one_cannot_be_made(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*arguments: Any) -> None:
        raise EngineError("the package index does not answer")

    monkeypatch.setattr(wheels, "install", offline)
    with pytest.raises(EngineError):
        ensure(engine, "kubelite")
    monkeypatch.setattr(wheels, "install", lambda requirements, target, architecture: None)
    ensure(engine, "kubelite")
    monkeypatch.setattr(sources, "requirements", lambda: ["aiohttp>=9"])
    monkeypatch.setattr(wheels, "install", offline)
    assert "the package index does not answer" in ensure(engine, "kubelite")[-1]


@pytest.mark.parametrize(
    ("reference", "parts"),
    [
        ("httpd", ("httpd", "latest")),
        ("httpd:2.4", ("httpd", "2.4")),
        ("localhost:5000/a/b", ("localhost:5000/a/b", "latest")),
        ("localhost:5000/a/b:1", ("localhost:5000/a/b", "1")),
        ("httpd@sha256:abc", ("httpd", "sha256:abc")),
    ],
)
def test_reference_is_split_into_repository_and_tag(reference: str, parts: tuple[str, str]) -> None:
    assert registry.split(reference) == parts
