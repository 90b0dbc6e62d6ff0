"""A cluster stays on its engine: found wherever that answers, and on no other unless it is told to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from kubelite.config import EngineMark, Settings
from kubelite.engine import EngineError, Progress, silent
from kubelite.engine.find import Candidate, ChosenEngineSilent, Endpoint
from kubelite.lifecycle import home_engine
from kubelite.lifecycle.home_engine import engine_for_up, engine_of, remember

DEFAULT, PRIVATE = "unix:///var/run/docker.sock", "unix:///run/kubelite/engine.sock"
Engines = Callable[..., None]


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> Engines:
    """Which engine (by its ID) answers at which address, and which address the user chose."""

    def answer(chosen: str = "", /, **at: str) -> None:
        ids = {
            {"default": DEFAULT, "private": PRIVATE}.get(name, f"tcp://{name}:2375"): one for name, one in at.items()
        }
        choice = Candidate(chosen, "DOCKER_HOST") if chosen else None

        def probe(candidate: Candidate) -> Endpoint | None:
            found = Endpoint(candidate.url, candidate.origin, "20.10", "1.41", "amd64", "Docker", candidate.tls)
            return found if candidate.url in ids else None

        def ensure(install: bool, progress: Progress) -> Endpoint:
            if choice is not None:
                if found := probe(choice):
                    return found
                raise ChosenEngineSilent(choice, "Connection refused")
            return next(found for url in (DEFAULT, PRIVATE) if (found := probe(Candidate(url, "default socket"))))

        monkeypatch.setattr(home_engine.find, "probe", probe)
        monkeypatch.setattr(home_engine.find, "identity", lambda endpoint: ids[endpoint.url])
        monkeypatch.setattr(home_engine.find, "chosen", lambda environ, home: choice)
        monkeypatch.setattr(home_engine.daemon, "ensure", ensure)

    return answer


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Of a cluster that lives on engine A, which answered at the default socket."""
    return Settings(home=tmp_path, engine=EngineMark("A", DEFAULT))


def for_up(settings: Settings) -> str:
    return engine_for_up(settings, install=True, progress=silent).url


def located(settings: Settings) -> str | None:
    found = engine_of(settings)
    return found.url if found else None


def test_new_cluster_takes_what_is_found(engines: Engines, tmp_path: Path) -> None:
    engines(default="A")
    assert for_up(Settings(home=tmp_path)) == DEFAULT


def test_cluster_is_found_on_its_engine_at_whatever_address(engines: Engines, settings: Settings) -> None:
    engines(default="B", private="A")
    assert for_up(settings) == PRIVATE
    assert located(settings) == PRIVATE


def test_cluster_of_another_engine_than_the_first_found_stays_there(engines: Engines, settings: Settings) -> None:
    engines(default="B", far="A")
    there = replace(settings, engine=EngineMark("A", "tcp://far:2375"))
    assert for_up(there) == "tcp://far:2375"
    assert located(there) == "tcp://far:2375"


def test_choice_of_another_engine_is_refused_naming_both(engines: Engines, settings: Settings) -> None:
    engines("tcp://far:2375", default="A", far="B")
    with pytest.raises(EngineError) as refused:
        for_up(settings)
    assert f"lives on the container engine at {DEFAULT}; what was found is another one: tcp://far:2375" in str(
        refused.value
    )
    assert "leave DOCKER_HOST out; or move the cluster over" in refused.value.cure
    assert "kubelite up --move" in refused.value.cure
    assert located(settings) == DEFAULT


def test_engine_that_stands_in_for_a_stopped_one_is_refused(engines: Engines, settings: Settings) -> None:
    engines(private="B")
    with pytest.raises(EngineError, match=f"at {DEFAULT}, which doesn't answer; what was found is another one"):
        for_up(settings)
    assert located(settings) is None


def test_choice_of_the_same_engine_by_another_address_is_fine(engines: Engines, settings: Settings) -> None:
    engines("tcp://far:2375", default="A", far="A")
    assert for_up(settings) == "tcp://far:2375"


def test_chosen_engine_that_is_dead_is_refused(engines: Engines, settings: Settings) -> None:
    engines("tcp://far:2375", default="A")
    with pytest.raises(ChosenEngineSilent):
        for_up(settings)


def test_engine_whose_data_were_wiped_gets_the_cluster_anew(engines: Engines, settings: Settings) -> None:
    engines(default="C")
    assert for_up(settings) == DEFAULT
    assert located(settings) == DEFAULT
    endpoint = engine_of(settings)
    assert endpoint is not None
    told: list[str] = []
    assert remember(settings, endpoint, told.append).engine == EngineMark("C", DEFAULT)
    assert told == [f"the engine at {DEFAULT} is another one than before: containers are made anew"]
    loaded = Settings.load(at=settings.home)
    assert loaded is not None
    assert loaded.engine == EngineMark("C", DEFAULT)
