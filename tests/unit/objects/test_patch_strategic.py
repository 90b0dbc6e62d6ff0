"""Patches in the shapes that kubectl sends; the rules of fields come from a small table instead of the schema."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubelite.errors import StatusError
from kubelite.objects.patch_strategic import PatchRules, strategic_merge


class Rules:
    """A type whose fields are merged by these rules; all others by default."""

    def __init__(self, **fields: PatchRules) -> None:
        self._fields = fields

    def patch_rules(self, field: str) -> PatchRules:
        return self._fields.get(field, PatchRules())


CONTAINER = Rules(
    env=PatchRules("merge", "name", Rules()),
    ports=PatchRules("merge", "containerPort", Rules()),
)
SPEC = Rules(
    containers=PatchRules("merge", "name", CONTAINER),
    volumes=PatchRules("merge", "name", Rules()),
    finalizers=PatchRules("merge"),
    tolerations=PatchRules(),
    selector=PatchRules("replace"),
    bad=PatchRules("merge"),
)


def merge(original: dict[str, Any], patch: dict[str, Any]) -> Any:
    return strategic_merge(original, patch, SPEC)


def containers(**images: str) -> list[dict[str, Any]]:
    return [{"name": name, "image": image} for name, image in images.items()]


@pytest.mark.parametrize(
    ("original", "patch", "merged"),
    [
        pytest.param({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}, id="maps merge"),
        pytest.param({"a": 1, "b": 2}, {"a": None, "x": None}, {"b": 2}, id="null deletes"),
        pytest.param({}, {"a": {"b": None, "c": [{"d": None}]}}, {"a": {"c": [{}]}}, id="nulls vanish in what is new"),
        pytest.param({"a": "s"}, {"a": {"b": 1}}, {"a": {"b": 1}}, id="other type replaces"),
        pytest.param({"tolerations": [1, 2]}, {"tolerations": [3]}, {"tolerations": [3]}, id="atomic list"),
        pytest.param({"selector": {"a": 1}}, {"selector": {"b": 2}}, {"selector": {"b": 2}}, id="strategy replace"),
        pytest.param({"finalizers": ["a", "b"]}, {"finalizers": ["c", "a"]}, {"finalizers": ["c", "a", "b"]}, id="primitives"),
        pytest.param(
            {"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a", "x"]}, {"finalizers": ["b"]},
            id="delete from primitives",
        ),
        pytest.param(
            {"finalizers": ["a", "b"]},
            {"$setElementOrder/finalizers": ["b", "c"], "finalizers": ["c"], "$deleteFromPrimitiveList/finalizers": ["a"]},
            {"finalizers": ["b", "c"]},
            id="order, add and delete primitives",
        ),
        pytest.param(
            {"containers": containers(a="1", b="1")}, {"containers": containers(b="2", c="1")},
            {"containers": containers(a="1", b="2", c="1")},
            id="merge by key",
        ),
        pytest.param(
            {"containers": containers(a="1", b="1")}, {"containers": [{"name": "a", "$patch": "delete"}]},
            {"containers": containers(b="1")},
            id="delete by key",
        ),
        pytest.param(
            {"containers": containers(a="1", b="1")}, {"containers": [{"$patch": "replace"}, *containers(c="1")]},
            {"containers": containers(c="1")},
            id="replace a list",
        ),
        pytest.param(
            {"containers": containers(a="1", b="1", c="1")}, {"$setElementOrder/containers": [{"name": "c"}, {"name": "a"}]},
            {"containers": containers(b="1", c="1", a="1")},
            id="order alone",
        ),
        pytest.param(
            {"template": {"a": 1, "b": 2}}, {"template": {"$patch": "replace", "c": 3}}, {"template": {"c": 3}},
            id="replace a map",
        ),
        pytest.param({"template": {"a": 1}}, {"template": {"$patch": "delete"}}, {"template": {}}, id="delete a map"),
        pytest.param({}, {"template": {"$patch": "replace", "c": 3}}, {}, id="directive without an original"),
        pytest.param(
            {"volumes": [{"name": "v", "emptyDir": {}}]},
            {"volumes": [{"name": "v", "$retainKeys": ["name", "configMap"], "configMap": {"name": "x"}, "emptyDir": None}]},
            {"volumes": [{"name": "v", "configMap": {"name": "x"}}]},
            id="retain keys",
        ),
        pytest.param(
            {"containers": [{"name": "a", "env": [{"name": "X", "value": "1"}], "args": ["x"]}]},
            {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}], "args": ["y", "z"]}]},
            {"containers": [{"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}], "args": ["y", "z"]}]},
            id="lists inside lists",
        ),
    ],
)  # fmt: skip
def test_patch_merges(original: dict[str, Any], patch: dict[str, Any], merged: dict[str, Any]) -> None:
    assert merge(original, patch) == merged


def test_apply_of_a_changed_manifest() -> None:
    """What kubectl apply sends when one container is dropped, one changed, one added, one injected by others."""
    live = {"replicas": 1, "containers": [*containers(a="1"), *containers(sidecar="9"), *containers(b="1")]}
    patch = {
        "$setElementOrder/containers": [{"name": "c"}, {"name": "b"}],
        "containers": [{"image": "1", "name": "c"}, {"image": "2", "name": "b"}, {"$patch": "delete", "name": "a"}],
        "replicas": 2,
    }
    assert merge(live, patch) == {"replicas": 2, "containers": containers(c="1", sidecar="9", b="2")}


def test_without_a_schema_lists_are_replaced_and_maps_merged() -> None:
    assert strategic_merge({"a": {"x": 1}, "l": [{"name": 1}]}, {"a": {"y": 2}, "l": []}, None) == {
        "a": {"x": 1, "y": 2},
        "l": [],
    }


@pytest.mark.parametrize(
    ("patch", "code", "text"),
    [
        ({"containers": [{"image": "x"}]}, 500, r"map: map\[image:x\] does not contain declared merge key: name"),
        ({"containers": [{"$patch": "delete"}]}, 500, "does not contain declared merge key: name"),
        ({"containers": [{"name": "a", "$patch": "explode"}]}, 500, "unknown patch type: explode in map"),
        ({"containers": [{"name": "a", "$patch": "merge"}]}, 500, "merging lists cannot yet be specified"),
        ({"containers": ["a"]}, 500, "list element types are not identical"),
        ({"containers": [["a"]]}, 422, "lists of lists are not supported"),
        ({"bad": [{"name": "a"}]}, 500, "cannot merge lists without merge key"),
        ({"map": {"$patch": "merge"}}, 500, "unknown patch type: merge in map"),
        ({"map": {"$retainKeys": ["a"], "b": 1}}, 400, "invalid patch format of retainKeys"),
        ({"$setElementOrder/containers": "a"}, 400, "invalid patch format of setElementOrder list"),
        ({"$setElementOrder": []}, 400, "invalid patch format of setElementOrder list"),
        ({"$deleteFromPrimitiveList": []}, 400, "invalid patch format of primitive list"),
        (
            {"$setElementOrder/containers": [{"name": "a"}], "containers": containers(b="1")},
            500,
            r"The order in patch list:\n.*\n doesn't match \$setElementOrder list",
        ),
    ],
)
def test_malformed_patch_is_refused(patch: dict[str, Any], code: int, text: str) -> None:
    original = {"containers": containers(a="1"), "map": {"x": 1}, "bad": [{"name": "a"}]}
    with pytest.raises(StatusError, match=text) as caught:
        merge(original, patch)
    assert caught.value.code == code


names = st.lists(st.sampled_from("abcdef"), unique=True)


@settings(deadline=None)
@given(names, names, names, st.data())
def test_ordered_merge_keeps_its_promises(
    live: list[str], wanted: list[str], deleted: list[str], data: st.DataObject
) -> None:
    changed = data.draw(st.sets(st.sampled_from(wanted))) if wanted else set()
    doomed = [name for name in deleted if name not in wanted]
    original = {"containers": containers(**dict.fromkeys(live, "old"))}
    patch = {
        "$setElementOrder/containers": [{"name": name} for name in wanted],
        "containers": [
            *containers(**{name: "new" for name in wanted if name in changed}),
            *({"name": name, "$patch": "delete"} for name in doomed),
        ],
    }
    before = copy.deepcopy((original, patch))
    result = merge(original, patch)
    assert (original, patch) == before
    assert merge(result, patch) == result

    found = [entry["name"] for entry in result["containers"]]
    assert set(found) == (set(live) - set(doomed)) | changed
    assert [name for name in found if name in wanted] == [name for name in wanted if name in found]
    others = [name for name in found if name not in wanted]
    assert others == [name for name in live if name in others]
    assert all(entry["image"] == "new" for entry in result["containers"] if entry["name"] in changed)


maps = st.recursive(
    st.none() | st.integers() | st.text(max_size=2) | st.lists(st.integers(), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
).filter(lambda value: isinstance(value, dict))


@settings(deadline=None)
@given(maps, maps)
def test_merging_maps_twice_is_merging_once(original: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge(original, patch)
    assert merge(once, patch) == once
    assert merge(original, {}) == original
