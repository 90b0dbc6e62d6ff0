"""The proxy's loop: changes come in from the watches, one transaction for all that wait goes out to the kernel."""

from __future__ import annotations

import logging
import queue
import subprocess
import time
from collections.abc import Mapping

from kubelite.net.kind import Key
from kubelite.net.proxy import bridge, conntrack, nft, passage
from kubelite.net.proxy.health import Checks, Health
from kubelite.net.proxy.index import Index
from kubelite.net.proxy.ports import Ports
from kubelite.net.proxy.report import Reporter
from kubelite.net.proxy.ruleset import Ruleset
from kubelite.net.rules import Fragment, Ground, Listen, Target, fragment, listens
from kubelite.net.watch import Change

TICK_SECONDS = 10.0
"""How often it is looked whether the table is still there and whether taken ports are free again."""

log = logging.getLogger(__name__)


class Proxy:
    """`post` and `stop` may be called from any thread, `run` works in its own."""

    def __init__(self, ground: Ground, health: Health, reporter: Reporter) -> None:
        self._ground = ground
        self._health = health
        self._reporter = reporter
        self._queue: queue.SimpleQueue[Change | None] = queue.SimpleQueue()
        self._index = Index()
        self._ruleset = Ruleset(ground)
        self._ports = Ports()
        self._checks = Checks(health)
        self._taken: dict[Key, frozenset[Listen]] = {}
        self._in_kernel = False
        self._remove = False

    def post(self, change: Change) -> None:
        self._queue.put(change)

    def stop(self, *, remove: bool = False) -> None:
        """Leave the rules in the kernel, for what runs now needs them, unless they are to be removed."""
        self._remove = remove
        self._queue.put(None)

    def run(self) -> None:
        """Until stopped."""
        look_again = time.monotonic() + TICK_SECONDS
        while True:
            if time.monotonic() >= look_again:
                self._look_again()
                look_again = time.monotonic() + TICK_SECONDS
            try:
                change = self._queue.get(timeout=max(look_again - time.monotonic(), 0))
            except queue.Empty:
                continue
            if change is None or not self._take(change):
                break
            if self._index.synced:
                self._sync(self._index.touched())
        self._ports.close()
        self._checks.close()
        if self._remove:
            if self._ground.table in nft.tables():
                nft.apply(f"delete table ip {self._ground.table}")
            passage.close([self._ground.bridge])
            bridge.unroute(self._ground)

    def _take(self, change: Change) -> bool:
        """This change and all that wait; false when among them is the wish to stop."""
        change(self._index)
        while not self._queue.empty():
            following = self._queue.get()
            if following is None:
                return False
            following(self._index)
        return True

    def _look_again(self) -> None:
        try:
            bridge.route(self._ground)
            if self._in_kernel and self._ground.table not in nft.tables():
                log.warning("table %s is gone: somebody removed it; making it anew", self._ground.table)
                self._in_kernel = False
            passage.allow(self._ground)
        except (OSError, subprocess.CalledProcessError, nft.NftError) as error:
            log.warning("can't see how things are: %s", error)
        if self._index.synced and (self._taken or not self._in_kernel):
            self._sync(list(self._taken))

    def _sync(self, keys: list[Key]) -> None:
        """Bring the kernel's rules for these Services up to date."""
        began = time.monotonic()
        before = self._ruleset.datagrams(keys)
        script = self._ruleset.change({key: self._fragment(key) for key in keys})
        after = self._ruleset.datagrams(keys)
        if not self._in_kernel:
            before, after = {}, self._ruleset.datagrams()
        if not self._apply(script):
            return
        self._ports.seal()
        for key in keys:
            self._check(key)
        self._forget(before, after)
        if script:
            log.info("%d services changed, in the kernel after %.0f ms", len(keys), 1000 * (time.monotonic() - began))

    def _fragment(self, key: Key) -> Fragment:
        service = self._index.service(key)
        taken = self._ports.claim(key, listens(service) if service else frozenset())
        for listen in sorted(taken - self._taken.get(key, frozenset()), key=str):
            assert service
            self._reporter.taken(service, listen)
        self._taken.pop(key, None)
        if taken:
            self._taken[key] = taken
        return fragment(service, self._index.slices(key), self._ground, taken)

    def _check(self, key: Key) -> None:
        """Tell load balancers how many ready pods of the Service there are on this node."""
        service = self._index.service(key)
        endpoints = (endpoint for part in self._index.slices(key) for endpoint in part.endpoints)
        here = {one.address for one in endpoints if one.ready and one.node == self._ground.node}
        self._checks.put(key, service.health_port if service else 0, len(here))

    def _apply(self, script: str) -> bool:
        """The difference where the table is as we left it, else the whole; the verdict goes to whom it may concern."""
        if self._in_kernel:
            if not script:
                return True
            try:
                nft.apply(script)
                return True
            except nft.NftError as error:
                log.warning("the table isn't as it was left (%s); making it anew", error)
        try:
            nft.apply(self._ruleset.full())
        except nft.NftError as error:
            self._in_kernel = False
            problem = f"nftables doesn't work here: {error}"
            log.error("%s", problem)
            self._health.problem = problem
            self._reporter.rules("NftablesUnavailable", problem, work=False)
            return False
        self._in_kernel = True
        self._health.problem = ""
        self._reporter.rules("RulesInKernel", f"nftables table ip {self._ground.table}", work=True)
        return True

    def _forget(self, before: Mapping[Target, frozenset[Target]], after: Mapping[Target, frozenset[Target]]) -> None:
        """UDP flows to where nobody answers now; what can't be done for them doesn't hold up the rules."""
        changed = {at: after.get(at, frozenset()) for at in {*before, *after} if before.get(at) != after.get(at)}
        if not changed:
            return
        try:
            number = conntrack.forget(changed)
        except OSError as error:
            log.warning("UDP flows can't be looked through: %s", error)
            return
        if number:
            log.info("forgot %d UDP flows to endpoints that are gone", number)
