"""What the notes show, as checks on answers and on the order of events; each raises Failure with what is different."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from kubelite.cli.daily import PodEvent
from kubelite.cli.failure import Failure


def holds(fact: bool, text: str) -> None:
    if not fact:
        raise Failure(f"not as in the notes: {text}")


def matches(answer: str, *patterns: str) -> None:
    """Each pattern is somewhere in the answer; a blank in a pattern stands for any number of them."""
    for pattern in patterns:
        found = re.search(re.sub(r"\\? ", r"\\s+", pattern), answer)
        holds(found is not None, f"nothing in the answer reads like {pattern!r}:\n{answer}")


def addresses(answer: str) -> list[str]:
    """What nslookup found: the addresses after the server's own."""
    _, _, found = answer.partition("Name:")
    return re.findall(r"^Address(?: \d+)?: (\S+)", found, re.MULTILINE)


def all_ready(names: Iterable[str]) -> Callable[[Sequence[PodEvent]], bool]:
    """The last event of each of these pods leaves it Running and Ready."""
    wanted = set(names)

    def done(events: Sequence[PodEvent]) -> bool:
        last = {event.name: event for event in events}
        return wanted <= {name for name, event in last.items() if event.is_ready and event.type != "DELETED"}

    return done


def all_deleted(names: Iterable[str]) -> Callable[[Sequence[PodEvent]], bool]:
    wanted = set(names)
    return lambda events: wanted <= {event.name for event in events if event.type == "DELETED"}


def one_by_one(events: Sequence[PodEvent], names: Sequence[str]) -> None:
    """Each pod appears only when the one before it is Running and Ready."""
    for before, after in pairwise(names):
        ready = next(at for at, event in enumerate(events) if event.name == before and event.is_ready)
        appears = next(at for at, event in enumerate(events) if event.name == after)
        holds(ready < appears, f"{after} was created before {before} was Running and Ready")


def one_goes_after_the_other(events: Sequence[PodEvent], names: Sequence[str]) -> None:
    """Nothing happens to a pod before the one named before it is wholly gone."""
    for before, after in pairwise(names):
        gone = next(at for at, event in enumerate(events) if event.name == before and event.type == "DELETED")
        touched = next(at for at, event in enumerate(events) if event.name == after)
        holds(gone < touched, f"{after} was touched before {before} was gone")


def untouched(events: Sequence[PodEvent], names: Iterable[str]) -> None:
    touched = {event.name for event in events} & set(names)
    holds(not touched, f"something happened to {', '.join(sorted(touched))} as well")
