"""Server-side apply: outcomes and ownership by example, and what holds for any objects and managers."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubelite.objects import field_sets, patch_apply
from kubelite.objects.patch_apply import LEAF, NO_DEFAULT, Conflicts, Malformed, Manager, Shape

ENTRY = Shape("struct", member=lambda name: {"name": LEAF, "port": LEAF, "value": LEAF, "env": MAP}.get(name))
MAP = Shape("map", item=lambda: LEAF)
MEMBERS = {
    "size": LEAF,
    "labels": MAP,
    "entries": Shape("list", {"name": NO_DEFAULT, "port": 1}, item=lambda: ENTRY),
    "marks": Shape("set"),
    "inner": Shape("struct", member=lambda name: {"size": LEAF, "labels": MAP}.get(name)),
}
SHAPE = Shape("struct", member=MEMBERS.get)
ME, YOU = Manager("me", "Apply"), Manager("you", "Apply")
EDITOR = Manager("editor", "Update", "v1")


def apply(live: Any, config: Any, managers: Any = None, manager: Manager = ME, force: bool = False) -> Any:
    return patch_apply.apply(
        live, config, SHAPE, managers or {}, manager, force=force, ignored=lambda path: path == ("f:ignored",)
    )


def owned(fields: Any) -> list[str]:
    return sorted(map(field_sets.show, fields))


def test_fields_of_a_configuration() -> None:
    config = {
        "size": 1,
        "labels": {"a": "b"},
        "entries": [{"name": "x", "value": 2}],
        "marks": ["m"],
        "inner": {"labels": {}},
    }
    assert field_sets.encode(patch_apply.field_set(config, SHAPE)) == {
        "f:size": {},
        "f:labels": {"f:a": {}},
        "f:entries": {'k:{"name":"x","port":1}': {".": {}, "f:name": {}, "f:value": {}}},
        "f:marks": {'v:"m"': {}},
        "f:inner": {"f:labels": {}},
    }


def test_paths_as_messages_name_them() -> None:
    fields = patch_apply.field_set({"entries": [{"name": "x", "value": 2}], "marks": ["m"]}, SHAPE)
    assert owned(fields) == [
        '.entries[name="x",port=1]',
        '.entries[name="x",port=1].name',
        '.entries[name="x",port=1].value',
        '.marks[="m"]',
    ]


def test_what_a_manager_no_longer_wants_goes() -> None:
    first, managers = apply({}, {"size": 1, "labels": {"a": "1", "b": "2"}, "entries": [{"name": "x"}, {"name": "y"}]})
    second, managers = apply(first, {"labels": {"a": "1"}, "entries": [{"name": "y"}]}, managers)
    assert second == {"labels": {"a": "1"}, "entries": [{"name": "y"}]}
    assert apply(second, {}, managers)[0] == {}


def test_what_others_own_stays() -> None:
    live, managers = apply({}, {"labels": {"a": "1", "b": "2"}})
    live, managers = apply(live, {"labels": {"b": "2", "c": "3"}}, managers, YOU)
    live, managers = apply(live, {}, managers)
    assert live == {"labels": {"b": "2", "c": "3"}}
    assert set(managers) == {YOU}


def test_what_nobody_owns_goes_with_its_entry_only() -> None:
    live, managers = apply({}, {"entries": [{"name": "x", "value": 1}]})
    live["entries"][0]["env"] = {"defaulted": "yes"}
    kept, managers = apply(live, {"entries": [{"name": "x"}]}, managers)
    assert kept == {"entries": [{"name": "x", "env": {"defaulted": "yes"}}]}
    assert apply(kept, {"size": 1}, managers)[0] == {"size": 1}


def test_conflicts_name_the_owner_and_the_field() -> None:
    live, managers = apply({}, {"size": 1, "labels": {"a": "1"}})
    with pytest.raises(Conflicts) as caught:
        apply(live, {"size": 2, "labels": {"a": "1", "b": "2"}}, managers, YOU)
    assert caught.value.fields == ((ME, ("f:size",)),)


def test_force_takes_the_field_over() -> None:
    live, managers = apply({}, {"size": 1, "labels": {"a": "1"}})
    live, managers = apply(live, {"size": 2}, managers, YOU, force=True)
    assert live["size"] == 2
    assert owned(managers[ME]) == [".labels.a"]
    assert owned(managers[YOU]) == [".size"]


def test_equal_values_are_shared() -> None:
    live, managers = apply({}, {"size": 1})
    _, managers = apply(live, {"size": 1}, managers, YOU)
    assert managers[ME] == managers[YOU]


def test_an_atomic_value_is_owned_whole() -> None:
    live, managers = apply({"size": {"a": 1, "b": 2}}, {"size": {"c": 3}})
    assert live == {"size": {"c": 3}}
    assert owned(managers[ME]) == [".size"]


def test_ignored_fields_are_nobodys() -> None:
    _, managers = apply({}, {"ignored": 1, "size": 1})
    assert owned(managers[ME]) == [".size"]


def test_an_update_owns_what_it_changed() -> None:
    live, managers = apply({}, {"size": 1, "labels": {"a": "1", "b": "2"}})
    new = {"size": 5, "labels": {"a": "1", "c": "3"}}
    managers = patch_apply.update(live, new, SHAPE, managers, EDITOR, ignored=lambda path: False)
    assert owned(managers[ME]) == [".labels.a"]
    assert owned(managers[EDITOR]) == [".labels.c", ".size"]
    with pytest.raises(Conflicts):
        apply(new, {"size": 1}, managers)


def test_an_update_that_undoes_leaves_nothing_owned() -> None:
    managers = patch_apply.update({}, {"size": 1}, SHAPE, {}, EDITOR, ignored=lambda path: False)
    assert patch_apply.update({"size": 1}, {}, SHAPE, managers, EDITOR, ignored=lambda path: False) == {}


@pytest.mark.parametrize(
    ("live", "config", "merged"),
    [
        ("abc", "cba", "cba"),
        ("abc", "b", "abc"),
        ("ab", "xb", "axb"),
        ("abcd", "dxb", "acdxb"),
        ("a", "xay", "xay"),
        ("", "ba", "ba"),
    ],
)
def test_lists_take_the_order_of_the_configuration(live: str, config: str, merged: str) -> None:
    assert "".join(patch_apply.merge(list(live), list(config), MEMBERS["marks"])) == merged


def test_entries_without_their_key_cannot_be_merged() -> None:
    with pytest.raises(Malformed, match="omits key field"):
        apply({}, {"entries": [{"value": 1}]})
    with pytest.raises(Malformed, match="duplicate entries for key"):
        apply({}, {"entries": [{"name": "x"}, {"name": "x", "port": 1}]})


def test_old_duplicates_are_carried_along() -> None:
    live = {"entries": [{"name": "x", "value": 1}, {"name": "x", "value": 2}], "size": 1}
    new, _ = apply(live, {"size": 2})
    assert new["entries"] == live["entries"]


small = st.sampled_from(["a", "b", "c"])
maps = st.dictionaries(small, st.sampled_from(["1", "2"]), max_size=3)
entries = st.lists(
    st.fixed_dictionaries({"name": small}, optional={"value": st.integers(0, 1), "env": maps}),
    max_size=3,
    unique_by=lambda entry: entry["name"],
)
objects = st.fixed_dictionaries(
    {},
    optional={
        "size": st.integers(0, 2),
        "labels": maps,
        "entries": entries,
        "marks": st.lists(small, unique=True, max_size=3),
        "inner": st.fixed_dictionaries({}, optional={"size": st.integers(0, 1), "labels": maps}),
    },
)


def bare(value: Any) -> Any:
    """Without empty maps and lists, which nobody can own."""
    if isinstance(value, dict):
        return {key: left for key, item in value.items() if (left := bare(item)) not in ({}, [])}
    return [bare(item) for item in value] if isinstance(value, list) else value


@given(objects)
def test_field_sets_survive_their_encoding(config: Any) -> None:
    fields = patch_apply.field_set(config, SHAPE)
    assert field_sets.decode(field_sets.encode(fields)) == fields


@given(objects, objects)
def test_applying_twice_is_applying_once(live: Any, config: Any) -> None:
    once, managers = apply(live, config)
    assert apply(once, config, managers) == (once, managers)


@given(objects, objects)
def test_the_outcome_is_as_configured(live: Any, config: Any) -> None:
    new, _ = apply(live, config)
    found = patch_apply.compare(config, new, SHAPE)
    assert not found.modified
    assert not found.removed


@given(objects, objects)
def test_what_the_configuration_does_not_name_stays(live: Any, config: Any) -> None:
    new, _ = apply(live, config)
    assert not patch_apply.compare(live, new, SHAPE).removed


@given(objects, objects)
def test_one_manager_alone_gets_what_it_last_wanted(first: Any, second: Any) -> None:
    live, managers = apply({}, first)
    live, _ = apply(live, second, managers)
    assert not patch_apply.compare(bare(second), bare(live), SHAPE).added


@given(objects, objects)
def test_a_manager_that_leaves_takes_only_its_own_along(mine: Any, yours: Any) -> None:
    live, managers = apply({}, yours, manager=YOU)
    both, managers = apply(live, mine, managers, force=True)
    left, managers = apply(both, {}, managers)
    owners = managers.get(YOU, frozenset())
    assert patch_apply.field_set(bare(left), SHAPE) <= field_sets.with_parents(owners) | owners


@given(objects, objects, objects)
def test_ownership_after_updates_names_only_what_is_there(config: Any, new: Any, newer: Any) -> None:
    live, managers = apply({}, config)
    for then in (new, newer):
        managers = patch_apply.update(live, then, SHAPE, managers, EDITOR, ignored=lambda path: False)
        live = then
    everything = field_sets.with_parents(patch_apply.compare({}, live, SHAPE).added)
    assert all(own <= everything for own in managers.values())


@given(objects, objects, objects)
def test_a_conflict_is_a_changed_field_of_another(base: Any, mine: Any, yours: Any) -> None:
    live, managers = apply(base, mine)
    merged = patch_apply.merge(live, yours, SHAPE)
    found = patch_apply.compare(live, merged, SHAPE)
    expected = managers.get(ME, frozenset()) & (found.added | found.modified)
    assert conflicting(live, yours, managers) == expected


def conflicting(live: Any, config: Any, managers: Any) -> set[Any]:
    try:
        apply(live, config, managers, YOU)
    except Conflicts as conflicts:
        return {path for _, path in conflicts.fields}
    return set()
