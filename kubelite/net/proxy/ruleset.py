"""The table as it should be, and the one transaction that leads there from what it was. Pure; called by the proxy.

A change touches the chains and elements of the Services concerned and no others. Two Services may claim one element
(the same external address and port): the first has it, and the next gets it when the first lets go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from kubelite.net.kind import Key
from kubelite.net.rules import Element, Fragment, Ground, Target, skeleton

_NOTHING = Fragment()


class Ruleset:
    """Fragments by Service, and who claims which element."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._fragments: dict[Key, Fragment] = {}
        self._claims: dict[Element, dict[Key, str]] = {}

    def full(self) -> str:
        """The script that makes the whole table anew, whatever was there: it appears at once or not at all."""
        table = self._ground.table
        lines = [f"add table ip {table}", f"delete table ip {table}", skeleton(self._ground)]
        for fragment in self._fragments.values():
            lines += self._definitions(_NOTHING, fragment)
        for fragment in self._fragments.values():
            lines += self._rules(_NOTHING, fragment)
        lines += self._elements("add", {element: next(iter(by.values())) for element, by in self._claims.items()})
        return "\n".join(lines) + "\n"

    def change(self, fragments: Mapping[Key, Fragment]) -> str:
        """Take the new fragments of some Services; the script for the difference, "" when there is none."""
        pairs = [(self._fragments.get(key, _NOTHING), fragment) for key, fragment in fragments.items()]
        concerned = {element for pair in pairs for fragment in pair for element in fragment.elements}
        before = {element: self._verdict(element) for element in concerned}
        for key, fragment in fragments.items():
            self._take(key, fragment)
        after = {element: self._verdict(element) for element in concerned}
        differing = [element for element in sorted(concerned) if before[element] != after[element]]
        lines = [line for old, new in pairs for line in self._definitions(old, new)]
        lines += self._elements("delete", {e: "" for e in differing if before[e] is not None})
        lines += [line for old, new in pairs for line in self._rules(old, new)]
        lines += self._elements("add", {e: value for e in differing if (value := after[e]) is not None})
        lines += [line for old, new in pairs for line in self._removals(old, new)]
        return "\n".join(lines) + "\n" if lines else ""

    def datagrams(self, keys: Iterable[Key] | None = None) -> dict[Target, frozenset[Target]]:
        """Where UDP to the addresses of these Services (or of all) may go now."""
        found: dict[Target, frozenset[Target]] = {}
        for key in self._fragments if keys is None else keys:
            found |= self._fragments.get(key, _NOTHING).datagrams
        return found

    def _verdict(self, element: Element) -> str | None:
        return next(iter(self._claims.get(element, {}).values()), None)

    def _take(self, key: Key, fragment: Fragment) -> None:
        for element in self._fragments.get(key, _NOTHING).elements.keys() - fragment.elements.keys():
            claims = self._claims[element]
            del claims[key]
            if not claims:
                del self._claims[element]
        for element, verdict in fragment.elements.items():
            self._claims.setdefault(element, {})[key] = verdict
        if fragment == _NOTHING:
            self._fragments.pop(key, None)
        else:
            self._fragments[key] = fragment

    def _definitions(self, old: Fragment, new: Fragment) -> Iterator[str]:
        """New sets and chains, and the changed chains emptied: nothing refers to what isn't there."""
        table = self._ground.table
        for name in new.sets.keys() - old.sets.keys():
            yield f"add set ip {table} {name} {{ {new.sets[name]} }}"
        for name, rules in new.chains.items():
            if name not in old.chains:
                yield f"add chain ip {table} {name}"
            elif old.chains[name] != rules:
                yield f"flush chain ip {table} {name}"

    def _rules(self, old: Fragment, new: Fragment) -> Iterator[str]:
        for name, rules in new.chains.items():
            if old.chains.get(name) != rules:
                yield from (f"add rule ip {self._ground.table} {name} {rule}" for rule in rules)

    def _removals(self, old: Fragment, new: Fragment) -> Iterator[str]:
        table = self._ground.table
        gone = [name for name in old.chains if name not in new.chains]
        yield from (f"flush chain ip {table} {name}" for name in gone)
        yield from (f"delete chain ip {table} {name}" for name in gone)
        yield from (f"delete set ip {table} {name}" for name in old.sets if name not in new.sets)

    def _elements(self, verb: str, elements: Mapping[Element, str]) -> Iterator[str]:
        by_map: dict[str, list[str]] = {}
        for (name, key), verdict in elements.items():
            by_map.setdefault(name, []).append(f"{key} : {verdict}" if verdict else key)
        for name, entries in by_map.items():
            yield f"{verb} element ip {self._ground.table} {name} {{ {', '.join(entries)} }}"
