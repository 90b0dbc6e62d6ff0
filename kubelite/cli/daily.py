"""The daily verbs, for machines without kubectl: what is typed after `kubectl` -> the answer as kubectl gives it.

As much of each as the demo types. A thin client of the API: `get` prints the server's Table.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kubelite.cli import describe, text, waiting
from kubelite.cli.apply import Apply, read_all, refused
from kubelite.cli.client import TABLE, ApiError, Client, Obj
from kubelite.cli.discovery import Discovery, Resource
from kubelite.cli.execute import execute
from kubelite.cli.failure import Failure
from kubelite.manifests.check import check

MERGE = "application/merge-patch+json"


class Daily:
    """Answers command lines; relative file names are looked up in `directory`."""

    def __init__(self, client: Client, directory: Path) -> None:
        self._client = client
        self._discovery = Discovery(client)
        self._directory = directory
        self._parser = _parser()

    def run(self, arguments: Sequence[str]) -> str:
        """The answer; Failure when it can't be given."""
        words = list(arguments)
        command = words[words.index("--") + 1 :] if "--" in words else []
        parsed = self._parser.parse_args(words[: words.index("--")] if "--" in words else words)
        parsed.command = command
        verbs: dict[str, Callable[[argparse.Namespace], str]] = {
            "apply": self._apply,
            "delete": self._delete,
            "describe": self._describe,
            "exec": self._exec,
            "get": self._get,
            "rollout": self._rollout,
            "scale": self._scale,
            "wait": self._wait,
        }
        try:
            return verbs[parsed.verb](parsed)
        except ApiError as error:
            raise Failure(f"kubectl {shlex.join(words)}: {error.message}") from None

    def _resource(self, name: str) -> Resource:
        found = self._discovery.by_name(name)
        if found is None:
            raise Failure(f'the server doesn\'t have a resource type "{name}"')
        return found

    def _target(self, text: str) -> tuple[Resource, str]:
        """`deployment/web`."""
        kind, _, name = text.partition("/")
        return self._resource(kind), name

    # verbs

    def _get(self, asked: argparse.Namespace) -> str:
        kinds = asked.resources.split(",")
        query = {"labelSelector": asked.selector} if asked.selector else {}
        tables = []
        for kind in kinds:
            resource = self._resource(kind)
            answer = self._client.get(resource.path(asked.namespace, asked.name), query, accept=TABLE)
            prefix = resource.shown("") if len(kinds) > 1 else ""
            tables.append(text.columns(list(table_rows(answer, wide=asked.output == "wide", prefix=prefix))))
        return "\n\n".join(tables) + "\n"

    def _describe(self, asked: argparse.Namespace) -> str:
        resource = self._resource(asked.kind)
        obj = self._client.get(resource.path(asked.namespace, asked.name))
        if resource.kind == "Pod":
            return describe.pod(obj)
        endpoints = self._client.find(self._resource("endpoints").path(asked.namespace, asked.name))
        return describe.service(obj, endpoints or {})

    def _apply(self, asked: argparse.Namespace) -> str:
        documents, problems = read_all([str(self._directory / name) for name in asked.filename])
        problems += [problem for document in documents for problem in check(document)]
        run = Apply(self._client, asked.namespace)
        problems = problems or run.check(documents)
        if problems:
            raise refused(problems)
        return "".join(f"{line}\n" for line in run.perform())

    def _delete(self, asked: argparse.Namespace) -> str:
        resource = self._resource(asked.kind)
        uids: dict[str, str] = {}
        for name in asked.names:
            path = resource.path(asked.namespace, name)
            found = self._client.find(path) if asked.ignore_not_found else self._client.get(path)
            if found:
                uids[name] = found["metadata"]["uid"]
                self._client.request("DELETE", path, {"propagationPolicy": "Background"})
        for name, uid in uids.items():
            waiting.until(self._client, resource, asked.namespace, name, waiting.gone(uid))
        return "".join(f'{_singular(resource)} "{name}" deleted\n' for name in uids)

    def _wait(self, asked: argparse.Namespace) -> str:
        resource, name = self._target(asked.target)
        names = [name] if name else self._names(resource, asked)
        _, _, condition = asked.until.partition("condition=")
        for name in names:
            reached = waiting.has_condition(condition) if condition else waiting.absent
            waiting.until(self._client, resource, asked.namespace, name, reached)
        return "".join(f"{resource.shown(name)} condition met\n" for name in names)

    def _names(self, resource: Resource, asked: argparse.Namespace) -> list[str]:
        found = self._client.items(resource.path(asked.namespace), {"labelSelector": asked.selector})
        return [obj["metadata"]["name"] for obj in found]

    def _scale(self, asked: argparse.Namespace) -> str:
        resource, name = self._target(asked.target)
        path = resource.path(asked.namespace, name) + "/scale"
        self._client.request("PATCH", path, {"spec": {"replicas": asked.replicas}}, content_type=MERGE)
        return f"{resource.shown(name)} scaled\n"

    def _rollout(self, asked: argparse.Namespace) -> str:
        resource, name = self._target(asked.target)
        waiting.until(self._client, resource, asked.namespace, name, waiting.rolled_out)
        return f'{resource.kind.lower()} "{name}" successfully rolled out\n'

    def _exec(self, asked: argparse.Namespace) -> str:
        done = execute(self._client, asked.namespace, asked.pod, asked.command)
        if done.code:
            raise Failure(f"{done.text}command terminated with exit code {done.code}")
        return done.text


def _singular(resource: Resource) -> str:
    return resource.shown("").removesuffix("/")


def table_rows(answer: Obj, *, wide: bool = False, prefix: str = "") -> Iterator[list[str]]:
    """Head and cells of a Table, without the columns that only `-o wide` shows."""
    shown = [at for at, one in enumerate(answer["columnDefinitions"]) if wide or not one["priority"]]
    yield [answer["columnDefinitions"][at]["name"].upper() for at in shown]
    for row in answer.get("rows") or ():
        cells = [_cell(row["cells"][at]) for at in shown]
        yield [prefix + cells[0], *cells[1:]]


def _cell(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


@dataclass(frozen=True, slots=True)
class PodEvent:
    """One line of a watch of pods, as its Table has it."""

    type: str
    name: str
    ready: str
    status: str

    @property
    def is_ready(self) -> bool:
        return self.status == "Running" and self.ready.partition("/")[0] == self.ready.partition("/")[2]


def watch_pods(client: Client, selector: str, seconds: float) -> Iterator[PodEvent]:
    """What happens to pods from this call on (the watch begins here, not at the first event)."""
    path, query = "/api/v1/namespaces/default/pods", {"labelSelector": selector}
    version = client.get(path, query)["metadata"]["resourceVersion"]
    events = client.watch(path, {**query, "resourceVersion": version}, accept=TABLE, timeout=seconds)

    def follow() -> Iterator[PodEvent]:
        for event in events:
            for row in event["object"]["rows"]:
                yield PodEvent(event["type"], *map(str, row["cells"][:3]))

    return follow()


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-n", "--namespace", default="default")
    parser = argparse.ArgumentParser(prog="kubectl")
    verbs = parser.add_subparsers(dest="verb", required=True)

    def verb(name: str, *arguments: str) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, parents=[common])
        for argument in arguments:
            added.add_argument(argument)
        return added

    get = verb("get", "resources")
    get.add_argument("name", nargs="?", default="")
    get.add_argument("-o", "--output", default="")
    get.add_argument("-l", "--selector", default="")
    verb("describe", "kind", "name")
    verb("apply").add_argument("-f", "--filename", action="append", required=True)
    delete = verb("delete", "kind")
    delete.add_argument("names", nargs="+")
    delete.add_argument("--ignore-not-found", action="store_true")
    wait = verb("wait", "target")
    wait.add_argument("--for", dest="until", required=True)
    wait.add_argument("-l", "--selector", default="")
    verb("scale", "target").add_argument("--replicas", type=int, required=True)
    verb("rollout", "action", "target")
    verb("exec", "pod")
    return parser
