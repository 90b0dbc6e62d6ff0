"""The README promises what tests hold, no more."""

from __future__ import annotations

import pytest

from tests import support


@pytest.mark.parametrize("promise", support.promises(), ids=lambda promise: f"{promise.area}: {promise.what}")
def test_promise_is_held_by_tests_that_exist(promise: support.Promise) -> None:
    assert [test for test in promise.tests if not support.exists(test)] == []


def test_table_of_the_readme_is_the_tests_own() -> None:
    assert support.in_readme() == support.table(), "run: python -m tests.support"
