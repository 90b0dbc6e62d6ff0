"""What a test does in its namespace: kubectl, apply, get, list, wait, exec and logs. Yielded by the `kubelite` fixture."""

from __future__ import annotations

import os
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml

from kubelite.cli import waiting
from kubelite.cli.apply import Apply, read_all, refused
from kubelite.cli.client import Client, Obj
from kubelite.cli.discovery import Discovery, Resource
from kubelite.cli.execute import execute
from kubelite.config import Settings
from kubelite.manifests.check import check
from kubelite.manifests.document import Document, read
from kubelite.manifests.problem import Problem
from kubelite.testing import report
from kubelite.testing.conditions import Condition, predicate

SECONDS = 60.0
Completed = subprocess.CompletedProcess[str]
Objects = list[Obj]
Lines = list[str]


class KubectlError(Exception):
    """A kubectl that ended with another exit code than 0; `done` is how it ended."""

    def __init__(self, done: Completed) -> None:
        command = shlex.join(str(word) for word in done.args)
        super().__init__(f"{command}\nexit code {done.returncode}\n{done.stdout}{done.stderr}".rstrip())
        self.done = done


class CommandError(Exception):
    """A command in a pod that ended with another exit code than 0."""

    def __init__(self, command: str, text: str, code: int) -> None:
        super().__init__(f"{command}\nexit code {code}\n{text}".rstrip())
        self.text = text
        self.code = code


class Namespace:
    """One namespace of a cluster. `program` is the kubectl that `kubectl` runs."""

    def __init__(self, settings: Settings, namespace: str, scratch: Path) -> None:
        self.settings = settings
        self.namespace = namespace
        self.program = "kubectl"
        self.client = Client.of(settings)
        self._discovery = Discovery(self.client)
        self._cache = scratch / "kubectl-cache"
        self.kubeconfig = scratch / f"{namespace}.kubeconfig"
        _write_kubeconfig(settings.kubeconfig, self.kubeconfig, namespace)

    def close(self) -> None:
        self.client.close()
        self.kubeconfig.unlink(missing_ok=True)

    @property
    def volumes(self) -> Path:
        """The cluster's directory with a subdirectory `<namespace>-<claim>-<volume>` for every claim."""
        return self.settings.volumes

    @property
    def environment(self) -> dict[str, str]:
        """With which any program that reads a kubeconfig talks to this namespace."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def kubectl(self, *arguments: str, check: bool = True, input: str | None = None, timeout: float = 120) -> Completed:
        """Run kubectl in this namespace; KubectlError when it fails, unless `check` is false."""
        done = subprocess.run(
            [self.program, f"--cache-dir={self._cache}", *arguments],
            env=self.environment,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        if check and done.returncode:
            raise KubectlError(done)
        return done

    def apply(self, manifest: str | Path) -> Lines:
        """Apply a file, a directory or the text of a manifest: a line for each object, as kubectl has it."""
        documents, problems = _documents(manifest)
        problems += [problem for document in documents for problem in check(document)]
        run = Apply(self.client, self.namespace)
        problems = problems or run.check(documents)
        if problems:
            raise refused(problems)
        return list(run.perform())

    def get(self, plural: str, name: str) -> Obj:
        """ApiError (`code` 404) when it is not there."""
        return self.client.get(self._resource(plural).path(self.namespace, name))

    def list(self, plural: str, selector: str = "") -> Objects:
        query = {"labelSelector": selector} if selector else None
        return self.client.items(self._resource(plural).path(self.namespace), query)

    def delete(self, plural: str, name: str) -> None:
        """Ask for its deletion; `wait(plural, name, "deleted")` waits for the end of it."""
        self.client.request("DELETE", self._resource(plural).path(self.namespace, name))

    def wait(self, plural: str, name: str, condition: Condition = "ready", timeout: float = SECONDS) -> Obj:
        """Watch an object until it is as asked for, and return it; TimeoutError tells how it was at last.

        `condition` is `ready` (whatever that means for its kind), `deleted`, a condition's type such as `Available`,
        or a function of the object. The object may be yet to appear.
        """
        reached = predicate(condition)
        resource = self._resource(plural)
        last: Obj | None = None
        try:
            for last in waiting.states(self.client, resource, self.namespace, name, timeout):
                if reached(last):
                    return last or {}
        except TimeoutError:
            pass
        asked = "as asked for" if callable(condition) else condition
        raise TimeoutError(f"{plural}/{name} is not {asked} after {timeout:.0f} s; its status: {_status(last)}")

    def exec(self, pod: str, *command: str) -> str:
        """What the command wrote; CommandError when it fails."""
        # A thread, since the caller may be a coroutine, whose loop can't be entered twice.
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(execute, self.client, self.namespace, pod, command).result()
        if done.code:
            raise CommandError(shlex.join(command), done.text, done.code)
        return done.text

    def logs(self, pod: str, container: str = "", *, tail: int | None = None, previous: bool = False) -> str:
        query = {"container": container} if container else {}
        query |= {"tailLines": str(tail)} if tail is not None else {}
        query |= {"previous": "true"} if previous else {}
        return self.client.text(f"/api/v1/namespaces/{self.namespace}/pods/{pod}/log", query)

    def describe(self) -> str:
        """Its pods, latest events and the end of the pods' logs, as the report of a failed test shows them."""
        return report.describe(self.client, self.namespace)

    def _resource(self, plural: str) -> Resource:
        found = self._discovery.by_name(plural)
        if found is None:
            raise LookupError(f"the server has no resource {plural!r}")
        return found


def _documents(manifest: str | Path) -> tuple[list[Document], list[Problem]]:
    """A text that has a line end or a colon is a manifest, anything else a path."""
    if isinstance(manifest, str) and ("\n" in manifest or ":" in manifest):
        documents, problems = read("manifest", manifest.encode())
        return list(documents), list(problems)
    return read_all([str(manifest)])


def _write_kubeconfig(source: Path, target: Path, namespace: str) -> None:
    content = yaml.safe_load(source.read_text())
    for entry in content["contexts"]:
        entry["context"]["namespace"] = namespace
    target.touch(mode=0o600)
    target.write_text(yaml.safe_dump(content))


def _status(obj: Obj | None) -> str:
    return "it is not there" if obj is None else yaml.safe_dump(obj.get("status"), default_flow_style=True).strip()
