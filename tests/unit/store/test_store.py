"""Exact revisions, watches and their resumption, survival of a restart, compaction."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kubelite.errors import StatusError
from kubelite.store import Expired, Store, Unusable
from kubelite.store.store import CHUNK


def obj(name: str, **more: object) -> dict[str, object]:
    return {"metadata": {"name": name}, **more}


@pytest.fixture
def store() -> Store:
    return Store(":memory:")


async def take(watch: object, count: int) -> list[tuple[str, str, int]]:
    seen = []
    for _ in range(count):
        change = await anext(watch)  # type: ignore[call-overload]
        seen.append((change.type, change.now.name, change.revision))
    return seen


def test_every_write_gets_the_next_revision_and_carries_it_inside(store: Store) -> None:
    first = store.put("pods", "default", "a", obj("a"))
    second = store.put("pods", "default", "a", obj("a", spec=1))
    assert (first.revision, second.revision, store.revision) == (2, 3, 3)
    assert b'"resourceVersion":"3"' in second.raw
    assert store.delete("pods", "default", "a").revision == 4
    assert store.get("pods", "default", "a") is None


def test_lists_are_ordered_by_namespace_and_name(store: Store) -> None:
    for namespace, name in [("b", "x"), ("a", "z"), ("a", "y")]:
        store.put("pods", namespace, name, obj(name))
    assert [s.name for s in store.list("pods")] == ["y", "z", "x"]
    assert [s.name for s in store.list("pods", "a")] == ["y", "z"]
    assert store.list("services") == []


async def test_a_watch_sees_changes_of_its_resources_in_order(store: Store) -> None:
    watch = store.watch(["pods"])
    store.put("pods", "n", "a", obj("a"))
    store.put("services", "n", "s", obj("s"))
    store.put("pods", "n", "a", obj("a", spec=1))
    store.delete("pods", "n", "a")
    assert await take(watch, 3) == [("ADDED", "a", 2), ("MODIFIED", "a", 4), ("DELETED", "a", 5)]


async def test_a_watch_resumes_after_the_revision_it_names(store: Store) -> None:
    store.put("pods", "n", "a", obj("a"))
    since = store.revision
    store.put("pods", "n", "b", obj("b"))
    store.put("pods", "n", "c", obj("c"))
    assert await take(store.watch(["pods"], since), 2) == [("ADDED", "b", 3), ("ADDED", "c", 4)]


def test_a_watch_beyond_the_history_or_the_future_is_expired() -> None:
    store = Store(":memory:", history=2)
    for number in range(10):
        store.put("pods", "n", f"p{number}", obj(f"p{number}"))
    with pytest.raises(Expired):
        store.watch(["pods"], 2)
    with pytest.raises(Expired):
        store.watch(["pods"], 999)
    store.watch(["pods"], store.oldest)


async def test_a_closed_watch_ends(store: Store) -> None:
    watch = store.watch(["pods"])
    watch.close()
    assert [change async for change in watch] == []


def test_a_restart_keeps_objects_and_revision(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("pods", "n", "a", obj("a"))
    store.put("pods", "n", "b", obj("b"))
    store.delete("pods", "n", "b")
    # no close(): a killed process doesn't either
    again = Store(tmp_path / "state.db")
    assert again.revision == 4
    assert [s.name for s in again.list("pods")] == ["a"]
    with pytest.raises(Expired):
        again.watch(["pods"], 2)


def test_compaction_keeps_current_objects_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", history=3)
    for number in range(20):
        store.put("pods", "n", "a", obj("a", spec=number))
    store.put("pods", "n", "b", obj("b"))
    store.compact()
    rows = sqlite3.connect(tmp_path / "state.db").execute("SELECT count(*) FROM objects").fetchone()[0]
    assert rows <= 4
    again = Store(tmp_path / "state.db")
    assert [(s.name, s.object.get("spec")) for s in again.list("pods")] == [("a", 19), ("b", None)]


def test_a_second_writer_is_refused_rather_than_mixed_in(tmp_path: Path) -> None:
    first, second = Store(tmp_path / "state.db"), Store(tmp_path / "state.db")
    first.put("pods", "n", "a", obj("a"))
    with pytest.raises(sqlite3.IntegrityError):
        second.put("pods", "n", "b", obj("b"))


def test_a_change_in_place_is_found(store: Store) -> None:
    stored = store.put("pods", "n", "a", obj("a"))
    assert store.verify() == []
    stored.object["spec"] = "changed"
    assert store.verify() == ["pods/n/a"]


def test_a_full_disk_refuses_writes_and_changes_nothing(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("pods", "n", "a", obj("a"))
    watch = store.watch(["pods"])
    store._database.execute("PRAGMA max_page_count = 1")
    big = "x" * 100_000
    for write in (
        lambda: store.put("pods", "n", "a", obj("a", spec=big)),
        lambda: store.put("pods", "n", "b", obj(big)),
    ):
        with pytest.raises(StatusError, match="the state can't be written: database or disk is full") as refused:
            write()
        assert refused.value.code == 500
    assert (store.revision, [stored.name for stored in store.list("pods")]) == (2, ["a"])
    assert not watch._waiting
    store._database.execute("PRAGMA max_page_count = 1000000")
    assert store.put("pods", "n", "b", obj("b")).revision == 3
    store.close()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "state.db"
    path.write_bytes(content)
    with pytest.raises(Unusable, match=str(path)):
        Store(path)


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match=r"missing/state\.db"):
        Store(tmp_path / "missing" / "state.db")


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db")
    store.put("secrets", "n", "s", obj("s"))
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
    store.close()


def test_a_file_that_is_opened_again_and_again_is_compacted(tmp_path: Path) -> None:
    for _ in range(8):
        store = Store(tmp_path / "state.db", history=4)
        for _ in range(5):
            store.put("pods", "n", "a", obj("a"))
        rows = store._database.execute("SELECT count(*) FROM objects").fetchone()[0]
        store.close()
    assert rows <= 13
    assert Store(tmp_path / "state.db").revision == 41


async def test_a_watch_with_a_limit_ends_when_its_reader_falls_behind_and_others_go_on(store: Store) -> None:
    slow, patient = store.watch(["pods"], most=2), store.watch(["pods"])
    for number in range(4):
        store.put("pods", "n", f"p{number}", obj(f"p{number}"))
    assert [change async for change in slow] == []
    assert len(await take(patient, 4)) == 4


def test_rows_that_only_the_history_needed_go_bit_by_bit(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", history=10)
    for number in range(500):
        store.put("pods", "n", f"p{number % 3}", obj(f"p{number % 3}", spec=number))
        if number % 7 == 0:
            store.delete("pods", "n", f"p{number % 3}")
    rows = store._database.execute("SELECT count(*) FROM objects").fetchone()[0]
    assert rows <= 3 + 10 + 2 * CHUNK
    there = {s.name: s.object for s in store.list("pods")}
    store.close()
    again = Store(tmp_path / "state.db", history=10)
    assert {s.name: s.object for s in again.list("pods")} == there
    assert again.revision == store.revision


def test_the_counter_survives_a_deletion_as_the_last_write(tmp_path: Path) -> None:
    store = Store(tmp_path / "state.db", history=0)
    store.put("pods", "n", "a", obj("a"))
    last = store.delete("pods", "n", "a").revision
    store.compact()
    store.close()
    assert Store(tmp_path / "state.db", history=0).revision == last


def test_lists_of_the_past(store: Store) -> None:
    first = store.put("pods", "n", "a", obj("a", spec=1)).revision
    store.put("pods", "m", "b", obj("b"))
    second = store.put("pods", "n", "a", obj("a", spec=2)).revision
    store.delete("pods", "n", "a")
    store.put("services", "n", "s", obj("s"))
    assert [s.object["spec"] for s in store.list_at("pods", None, first)] == [1]
    assert [(s.name, s.object.get("spec")) for s in store.list_at("pods", None, second)] == [("b", None), ("a", 2)]
    assert [s.name for s in store.list_at("pods", "n", second)] == ["a"]
    assert [s.name for s in store.list_at("pods", None, store.revision)] == ["b"]
    with pytest.raises(Expired):
        store.list_at("pods", None, store.revision + 1)
