"""The demo's checks notice what isn't as in the notes."""

from __future__ import annotations

from pathlib import Path

import pytest

import kubelite.demo
from kubelite.cli.daily import PodEvent
from kubelite.cli.failure import Failure
from kubelite.demo import expect
from kubelite.manifests.check import check
from kubelite.manifests.document import read


def events(*lines: str) -> list[PodEvent]:
    return [PodEvent(*line.split()) for line in lines]


IN_ORDER = events(
    "ADDED w-0 0/1 Pending",
    "MODIFIED w-0 1/1 Running",
    "ADDED w-1 0/1 Pending",
    "MODIFIED w-1 1/1 Running",
)


def test_order_of_creation_is_seen() -> None:
    expect.one_by_one(IN_ORDER, ["w-0", "w-1"])
    with pytest.raises(Failure, match="w-1 was created before w-0 was Running and Ready"):
        expect.one_by_one(events("ADDED w-1 0/1 Pending", "MODIFIED w-0 1/1 Running"), ["w-0", "w-1"])


def test_order_of_deletion_is_seen() -> None:
    expect.one_goes_after_the_other(events("DELETED w-2 0/1 Completed", "MODIFIED w-1 1/1 Terminating"), ["w-2", "w-1"])
    with pytest.raises(Failure, match="w-1 was touched before w-2 was gone"):
        expect.one_goes_after_the_other(
            events("MODIFIED w-1 1/1 Terminating", "DELETED w-2 0/1 Completed"), ["w-2", "w-1"]
        )


def test_readiness_counts_only_while_it_lasts() -> None:
    done = expect.all_ready(["w-0", "w-1"])
    assert done(IN_ORDER)
    assert not done(IN_ORDER[:3])
    assert not done([*IN_ORDER, *events("MODIFIED w-0 1/1 Terminating")])
    assert not done([*IN_ORDER, *events("DELETED w-0 1/1 Running")])


def test_pod_that_was_left_alone_has_no_event() -> None:
    expect.untouched(IN_ORDER, ["w-2"])
    with pytest.raises(Failure, match="something happened to w-1 as well"):
        expect.untouched(IN_ORDER, ["w-1", "w-2"])


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("Server:\t\t172.30.0.2\nAddress:\t172.30.0.2#53\n\nName:\tx\nAddress: 10.254.33.250\n", ["10.254.33.250"]),
        ("Server: 10.254.0.2\nAddress 1: 10.254.0.2 dns\n\nName: x\nAddress 1: 10.0.0.1 a\nAddress 2: 10.0.0.2\n", ["10.0.0.1", "10.0.0.2"]),
        ("** server can't find x: NXDOMAIN\n", []),
    ],
)  # fmt: skip
def test_addresses_are_read_from_nslookup(answer: str, expected: list[str]) -> None:
    assert expect.addresses(answer) == expected


def test_pattern_takes_any_number_of_blanks() -> None:
    expect.matches("NAME   TYPE\nweb    NodePort   80:8768/TCP\n", "web NodePort 80:8768/TCP")
    with pytest.raises(Failure, match="nothing in the answer reads like 'db'"):
        expect.matches("web\n", "db")


def test_packaged_manifests_are_right() -> None:
    paths = sorted(Path(kubelite.demo.__file__).parent.glob("*.yaml"))
    assert len(paths) == 6
    for path in paths:
        documents, problems = read(path.name, path.read_bytes())
        assert problems == []
        assert [problem for document in documents for problem in check(document)] == []
