"""What JSON Patch (RFC 6902) does, case by case: documents, patches, and the documents after them.

The cases follow the RFC section by section, the examples of its appendix A among them in other words.
"""

from typing import Any

Json = Any
Case = tuple[str, Json, list[Json], Json]
REFUSED = "refused"


def op(name: str, path: str, **more: Json) -> Json:
    """One operation. ``from_`` stands for ``from``."""
    return {"op": name, "path": path, **{key.rstrip("_"): value for key, value in more.items()}}


# (name, document, patch, document after it or REFUSED)
CASES: tuple[Case, ...] = (
    ("add a member", {"a": 1}, [op("add", "/b", value=2)], {"a": 1, "b": 2}),
    ("add over a member", {"a": 1}, [op("add", "/a", value=2)], {"a": 2}),
    ("add null", {"a": 1}, [op("add", "/b", value=None)], {"a": 1, "b": None}),
    ("add an item in between", {"a": [1, 3]}, [op("add", "/a/1", value=2)], {"a": [1, 2, 3]}),
    ("add an item before all", {"a": [2]}, [op("add", "/a/0", value=1)], {"a": [1, 2]}),
    ("add an item at the end", {"a": [1]}, [op("add", "/a/1", value=2)], {"a": [1, 2]}),
    ("append", {"a": [1]}, [op("add", "/a/-", value=[2])], {"a": [1, [2]]}),
    ("add beyond the end", {"a": [1]}, [op("add", "/a/2", value=2)], REFUSED),
    ("add below nothing", {"a": 1}, [op("add", "/b/c", value=2)], REFUSED),
    ("add below a text", {"a": "x"}, [op("add", "/a/0", value=2)], REFUSED),
    ("add at no index", {"a": [1]}, [op("add", "/a/x", value=2)], REFUSED),
    ("add at a padded index", {"a": [1, 2]}, [op("add", "/a/01", value=2)], REFUSED),
    ("add at a negative index", {"a": [1, 2]}, [op("add", "/a/-1", value=2)], REFUSED),
    ("remove a member", {"a": 1, "b": 2}, [op("remove", "/b")], {"a": 1}),
    ("remove an item", {"a": [1, 2, 3]}, [op("remove", "/a/1")], {"a": [1, 3]}),
    ("remove what is not there", {"a": 1}, [op("remove", "/b")], REFUSED),
    ("remove the item after the last", {"a": [1]}, [op("remove", "/a/-")], REFUSED),
    ("replace a member", {"a": 1, "b": 2}, [op("replace", "/b", value={"c": 3})], {"a": 1, "b": {"c": 3}}),
    ("replace an item", {"a": [1, 2]}, [op("replace", "/a/0", value=9)], {"a": [9, 2]}),
    ("replace what is not there", {"a": 1}, [op("replace", "/b", value=2)], REFUSED),
    ("replace all", {"a": 1}, [op("replace", "", value={"b": 2})], {"b": 2}),
    ("move a member", {"a": {"x": 1}, "b": {}}, [op("move", "/b/y", from_="/a/x")], {"a": {}, "b": {"y": 1}}),
    ("move an item", {"a": [1, 2, 3]}, [op("move", "/a/2", from_="/a/0")], {"a": [2, 3, 1]}),
    ("move to itself", {"a": 1}, [op("move", "/a", from_="/a")], {"a": 1}),
    ("move into itself", {"a": {"b": 1}}, [op("move", "/a/c", from_="/a")], REFUSED),
    ("move from nothing", {"a": 1}, [op("move", "/b", from_="/c")], REFUSED),
    ("copy", {"a": [1]}, [op("copy", "/b", from_="/a"), op("add", "/b/-", value=2)], {"a": [1], "b": [1, 2]}),
    ("copy an item", {"a": [1, 2]}, [op("copy", "/a/0", from_="/a/1")], {"a": [2, 1, 2]}),
    ("test holds", {"a": [1, {"b": "c"}]}, [op("test", "/a", value=[1, {"b": "c"}])], {"a": [1, {"b": "c"}]}),
    ("test fails", {"a": 1}, [op("test", "/a", value=2), op("add", "/b", value=3)], REFUSED),
    ("test of nothing", {"a": 1}, [op("test", "/b", value=None)], REFUSED),
    ("a test tells true from one", {"a": True}, [op("test", "/a", value=1)], REFUSED),
    ("a test tells zero from false", {"a": 0}, [op("test", "/a", value=False)], REFUSED),
    ("a test tells a text from a number", {"a": "1"}, [op("test", "/a", value=1)], REFUSED),
    ("a test compares numbers by value", {"a": 1}, [op("test", "/a", value=1.0)], {"a": 1}),
    ("a test passes over the order of members", {"a": {"x": 1, "y": 2}}, [op("test", "/a", value={"y": 2, "x": 1})],
     {"a": {"x": 1, "y": 2}}),
    ("escaped names", {"a/b": 1, "m~n": 2}, [op("test", "/a~1b", value=1), op("remove", "/m~0n")], {"a/b": 1}),
    ("an empty name", {"": 1}, [op("replace", "/", value=2)], {"": 2}),
    ("the later see the earlier", {"a": []}, [op("add", "/a/-", value={}), op("add", "/a/0/b", value=1)],
     {"a": [{"b": 1}]}),
    ("names that mean nothing here are passed over", {"a": 1}, [op("remove", "/a", note="x")], {}),
)  # fmt: skip

# (name, patch, the place that is named)
MALFORMED: tuple[tuple[str, list[Json], str], ...] = (
    ("no operation", [], "patch"),
    ("no object", ["add"], "patch[0]"),
    ("no op", [{"path": "/a"}], "patch[0].op"),
    ("another op", [op("remove", "/a"), op("merge", "/a")], "patch[1].op"),
    ("an op that is no text", [{"op": ["add"], "path": "/a", "value": 1}], "patch[0].op"),
    ("no path", [{"op": "remove"}], "patch[0].path"),
    ("no value", [op("add", "/a")], "patch[0].value"),
    ("no from", [op("move", "/a")], "patch[0].from"),
    ("a path that is no pointer", [op("remove", "a")], "patch[0].path"),
    ("a path that is no text", [{"op": "remove", "path": 1}], "patch[0].path"),
    ("a broken escape", [op("remove", "/a~2")], "patch[0].path"),
    ("a from that is no pointer", [op("copy", "/a", from_="b")], "patch[0].from"),
    ("too many", [op("remove", "/a")] * 1001, "patch"),
)
