"""`apply -f`: create or update what manifests say, as kubectl's apply, but all of a call or nothing.

Everything is checked before anything is sent: against the schema, which knows lines and likely corrections, then by
the server in a dry run, whose findings are led back to their lines.
"""

from __future__ import annotations

import argparse
import http.client
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from kubelite.cli.client import ApiError, Client, Obj
from kubelite.cli.discovery import Discovery, Resource
from kubelite.cli.failure import Failure
from kubelite.cli.progress import Progress
from kubelite.config import Settings
from kubelite.manifests.answers import from_causes
from kubelite.manifests.check import check, definition_of, problem, unknown_kind
from kubelite.manifests.document import Document, read
from kubelite.manifests.last_applied import remembered, with_memory
from kubelite.manifests.problem import Problem
from kubelite.manifests.three_way import three_way

STRATEGIC = "application/strategic-merge-patch+json"
MERGE = "application/merge-patch+json"
_SUFFIXES = (".yaml", ".yml", ".json")
_WRITE = {"fieldManager": "kubelite", "fieldValidation": "Strict"}
_DRY = {"dryRun": "All"}


def apply(arguments: argparse.Namespace, progress: Progress) -> int:
    settings = Settings.load(arguments.name) or Settings(name=arguments.name)
    documents, problems = read_all(arguments.filename)
    sound: list[Document] = []
    for document in documents:
        found = check(document)
        problems += found
        sound += [] if found else [document]
    if not documents and not problems:
        raise Failure("there is no object in what was given to apply")
    with closing(_client(settings, problems)) as client:
        run = Apply(client, arguments.namespace)
        problems += run.check(sound)
        if problems:
            raise refused(problems)
        for line in run.perform():
            print(line, flush=True)
    return 0


def _client(settings: Settings, problems: Sequence[Problem]) -> Client:
    """Faults that were found without the server are told without it."""
    try:
        client = Client.of(settings)
        client.get("/version")
    except (Failure, OSError, http.client.HTTPException) as error:  # a connection that failed closed itself
        if problems:
            raise refused(problems) from None
        if isinstance(error, Failure | ConnectionRefusedError):
            raise
        cure = f"type: kubelite status --name {settings.name}"
        raise Failure(f"the API of cluster {settings.name} does not answer: {error}", cure) from None
    return client


def refused(problems: Sequence[Problem]) -> Failure:
    told = [str(found) for found in sorted(set(problems))]
    count = f"{len(told)} problems" if len(told) > 1 else "a problem"
    return Failure("\n".join([f"{count}; nothing was created or changed", *told]))


def read_all(names: Sequence[str]) -> tuple[list[Document], list[Problem]]:
    documents: list[Document] = []
    problems: list[Problem] = []
    for name, content in _contents(names):
        found, wrong = read(name, content)
        documents += found
        problems += wrong
    return documents, problems


def _contents(names: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    for name in names:
        path = Path(name)
        if name == "-":
            yield "stdin", sys.stdin.buffer.read()
        elif path.is_dir():
            inside = sorted(entry for entry in path.iterdir() if entry.suffix in _SUFFIXES and entry.is_file())
            if not inside:
                raise Failure(f"{name} has no manifest in it ({', '.join(_SUFFIXES)})")
            for entry in inside:
                yield str(entry), entry.read_bytes()
        else:
            yield name, path.read_bytes()


@dataclass(frozen=True, slots=True)
class Step:
    """One object to apply, as it is sent."""

    document: Document
    resource: Resource
    namespace: str
    object: Obj

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["name"])

    @property
    def path(self) -> str:
        return self.resource.path(self.namespace, self.name)


class Apply:
    """One call: first `check`, then `perform`."""

    def __init__(self, client: Client, namespace: str | None) -> None:
        self._client = client
        self._discovery = Discovery(client)
        self._namespace = namespace
        self._steps: list[Step] = []

    # checks

    def check(self, documents: Sequence[Document]) -> list[Problem]:
        """What the server says of documents that are fine otherwise."""
        problems: list[Problem] = []
        for document in documents:
            step = self._step(document)
            if isinstance(step, Problem):
                problems.append(step)
            else:
                self._steps.append(step)
        created = {step.name for step in self._steps if step.resource.kind == "Namespace"}
        for step in self._steps:
            problems += self._rehearse(step, created)
        return problems

    def _step(self, document: Document) -> Step | Problem:
        value = document.value
        resource = self._discovery.by_kind(value["apiVersion"], value["kind"])
        if resource is None:
            return unknown_kind(document)
        if not resource.namespaced:
            return Step(document, resource, "", value)
        given = value["metadata"].get("namespace")
        if given and self._namespace and given != self._namespace:
            return problem(document, "metadata.namespace", f'is "{given}", but -n says "{self._namespace}"')
        namespace = given or self._namespace or "default"
        placed = {**value, "metadata": {**value["metadata"], "namespace": namespace}}
        return Step(document, resource, namespace, placed)

    def _rehearse(self, step: Step, created: set[str]) -> list[Problem]:
        try:
            try:
                self._send(step, _DRY)
            except ApiError as error:
                if error.code != 404 or step.namespace not in created:
                    raise
                self._create(step.resource, "default", _elsewhere(step.object), _DRY)
        except ApiError as error:
            return from_causes(step.document, error.causes, error.message)
        return []

    # sending

    def perform(self) -> Iterator[str]:
        """One line for each object."""
        for step in self._steps:
            try:
                verdict = self._send(step, {})
            except ApiError as error:
                found = from_causes(step.document, error.causes, error.message)
                told = "\n".join(map(str, found))
                raise Failure(
                    f"{step.resource.shown(step.name)} was refused; what is listed above is done\n{told}"
                ) from None
            for warning in self._client.warnings:
                sys.stderr.write(f"Warning: {warning}\n")
            yield f"{step.resource.shown(step.name)} {verdict}"

    def _send(self, step: Step, query: dict[str, str]) -> str:
        """Create or patch; what became of the object."""
        wanted = with_memory(step.object)
        live = self._client.find(step.path)
        if live is None:
            self._create(step.resource, step.namespace, wanted, query)
            return "created"
        definition = definition_of(step.document)
        patch = three_way(remembered(live), wanted, live, definition)
        if not patch:
            return "unchanged"
        media = STRATEGIC if definition else MERGE
        now = self._client.request("PATCH", step.path, patch, query={**_WRITE, **query}, content_type=media)
        changed = now["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]
        return "configured" if changed else "unchanged"

    def _create(self, resource: Resource, namespace: str, obj: Obj, query: dict[str, str]) -> None:
        self._client.request("POST", resource.path(namespace), obj, query={**_WRITE, **query})


def _elsewhere(obj: Obj) -> Obj:
    """The same in a namespace that is there, under a name that is free: its own is yet to be created."""
    metadata = {key: item for key, item in obj["metadata"].items() if key != "name"}
    metadata |= {"generateName": f"{obj['metadata']['name']}-", "namespace": "default"}
    return {**obj, "metadata": metadata}
