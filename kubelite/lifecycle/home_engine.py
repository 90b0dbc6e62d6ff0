"""Which engine a cluster lives on. Its containers, network and rules are there and nowhere else, so it is remembered.

Called before anything is asked of an engine. An engine is known by its ID; its address may change (the private engine
takes the default socket when that is free), and another engine may come to be at the same address (its data were
wiped): nothing of the cluster can exist elsewhere then, and it is made anew there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from kubelite.config import EngineMark, Settings
from kubelite.engine import EngineError, daemon, find
from kubelite.engine.find import Candidate, Endpoint

Progress = Callable[[str], None]


def engine_of(settings: Settings) -> Endpoint | None:
    """The cluster's engine if it answers; for a cluster that remembers none the one that `find` finds."""
    if settings.engine is None:
        return find.find()
    return _located(settings.engine)


def _located(mark: EngineMark) -> Endpoint | None:
    replaced = None
    for candidate in _places(mark):
        endpoint = find.probe(candidate)
        if endpoint is None:
            continue
        if find.identity(endpoint) == mark.id:
            return endpoint
        if endpoint.url == mark.url:
            replaced = endpoint
    return replaced


def _places(mark: EngineMark) -> Iterator[Candidate]:
    """Where it was, then wherever else it may be by now."""
    try:
        choice = find.chosen(os.environ, Path.home())
    except EngineError:
        choice = None
    everywhere = [*([choice] if choice else []), *find.candidates(os.environ)]
    origin = next((one.origin for one in everywhere if one.url == mark.url), "where it was created")
    yield Candidate(mark.url, origin, Path(mark.tls) if mark.tls else None)
    yield from (other for other in everywhere if other.url != mark.url)


def engine_for_up(settings: Settings, *, install: bool, progress: Progress) -> Endpoint:
    """The engine to bring the cluster up on: its own; EngineError when that is another one than the user's choice,
    or when it doesn't answer while another one does."""
    if settings.engine is None:
        return daemon.ensure(install, progress)
    home = _located(settings.engine)
    if home is not None and find.chosen(os.environ, Path.home()) is None:
        return home
    endpoint = daemon.ensure(install, progress)
    if endpoint.url == settings.engine.url or find.identity(endpoint) == settings.engine.id:
        return endpoint
    raise _lives_elsewhere(settings, settings.engine, home, endpoint)


def _lives_elsewhere(settings: Settings, mark: EngineMark, home: Endpoint | None, endpoint: Endpoint) -> EngineError:
    silent = "" if home else ", which doesn't answer"
    cure = f"leave {endpoint.origin} out" if home else "start that engine"
    return EngineError(
        f"cluster {settings.name} lives on the container engine at {home.url if home else mark.url}{silent}; "
        f"what was found is another one: {endpoint.url} ({endpoint.origin})",
        f"{cure}; or move the cluster over, with its objects and volumes: kubelite up --move --name {settings.name}",
    )


def remember(settings: Settings, endpoint: Endpoint, progress: Progress) -> Settings:
    """Keep in mind that the cluster lives there from now on."""
    tls = str(endpoint.tls) if endpoint.tls else ""
    mark = EngineMark(find.identity(endpoint) or endpoint.url, endpoint.url, tls)
    if mark == settings.engine:
        return settings
    if settings.engine is not None and settings.engine.id != mark.id:
        progress(f"the engine at {endpoint.url} is another one than before: containers are made anew")
    settings = replace(settings, engine=mark)
    settings.save()
    return settings
