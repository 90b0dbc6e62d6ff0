"""A container that the kernel killed, though the engine didn't notice."""

from __future__ import annotations

import pytest

from kubelite.node.oom_kills import OomKills, kernels_count


class Kernel:
    kills = 7

    def __call__(self) -> int:
        return self.kills


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


@pytest.fixture
def ooms(kernel: Kernel) -> OomKills:
    found = OomKills(kernel)
    found.starts("a")
    return found


def test_limited_container_that_died_as_the_kernel_killed_ran_out(kernel: Kernel, ooms: OomKills) -> None:
    kernel.kills += 1
    assert ooms.ran_out("a", 137, limited=True)
    assert ooms.ran_out("a", 137, limited=True)
    ooms.gone("a")
    assert not ooms.ran_out("a", 137, limited=True)


@pytest.mark.parametrize(("kills", "code", "limited"), [(0, 137, True), (1, 1, True), (1, 137, False)])
def test_other_ends_are_what_they_are(kernel: Kernel, ooms: OomKills, kills: int, code: int, limited: bool) -> None:
    kernel.kills += kills
    assert not ooms.ran_out("a", code, limited=limited)
    kernel.kills += 1  # somebody else's, later
    assert not ooms.ran_out("a", 137, limited=True)


def test_container_that_the_kubelet_killed_did_not_run_out(kernel: Kernel, ooms: OomKills) -> None:
    ooms.forget("a")
    kernel.kills += 1
    assert not ooms.ran_out("a", 137, limited=True)


def test_the_kernels_count_never_falls() -> None:
    assert 0 <= kernels_count() <= kernels_count()
