"""From the tree of an expression to closures over collections of nodes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from carekeep.fhir.fhirpath.comparing import compare, equal, same
from carekeep.fhir.fhirpath.functions import FUNCTIONS, Step
from carekeep.fhir.fhirpath.grammar import Binary, Call, Constant, Dot, Item, Name, Tree, Unsupported, Variable, parse
from carekeep.fhir.fhirpath.nodes import Node, Scope, Work, boolean, children_named, integer, is_a, only, string, truth

Nodes = list[Node]
Truth = bool | None  # three-valued: None is an empty collection
_PATTERNED = frozenset({"matches", "replaceMatches"})
_SYSTEMS = {
    "ucum": "http://unitsofmeasure.org",
    "sct": "http://snomed.info/sct",
    "loinc": "http://loinc.org",
}


@dataclass(frozen=True, slots=True)
class Predicate:
    """A rule, ready to be asked. ``text`` is its FHIRPath."""

    text: str
    _step: Step

    def answer(self, focus: Node, resource: Node, root: Node, work: Work) -> bool | None:
        """What it says of ``focus``, a part of ``resource`` (contained in ``root``); None when that is empty.

        Raises Undecided when it cannot be told, or would take more than is left of ``work``.
        """
        return truth(self._step([focus], Scope(resource, root, focus, work)))


def compile_predicate(text: str) -> Predicate:
    """The predicate of an expression. Raises Unsupported."""
    return Predicate(text, _compile(parse(text), head=True))


def _compile(tree: Tree, *, head: bool) -> Step:
    """``head`` says that a name stands at the beginning of a path, where it may be a type's."""
    match tree:
        case Constant(value):
            return _constant(value)
        case Variable(name):
            return _variable(name)
        case Name(name):
            return _type_or_child(name) if head and name[0].isupper() else _child(name)
        case Call():
            return _call(tree)
        case Dot(start, step):
            return _then(_compile(start, head=head), _compile(step, head=False))
        case Item(start, index):
            return _item(_compile(start, head=head), _compile(index, head=True))
        case Binary(operator, left, right):
            return _OPERATORS[operator](_compile(left, head=True), _compile(right, head=True))


def _constant(value: Any) -> Step:
    kinds = {bool: "boolean", int: "integer", float: "decimal", str: "string"}
    nodes = [] if value is None else [Node(value, kinds[type(value)])]
    return lambda _focus, _scope: nodes


def _variable(name: str) -> Step:
    match name:
        case "$this":
            return lambda focus, scope: focus if scope.this is None else [scope.this]
        case "$index":
            return lambda _focus, scope: integer(scope.index)
        case "resource":
            return lambda _focus, scope: [scope.resource]
        case "rootResource":
            return lambda _focus, scope: [scope.root]
        case "context":
            return lambda _focus, scope: [scope.context]
        case _ if name in _SYSTEMS:
            return _constant(_SYSTEMS[name])
    raise Unsupported(f"%{name} is not supported")


def _child(name: str) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        scope.spend(len(focus))
        return [child for node in focus for child in children_named(node, name)]

    return step


def _type_or_child(name: str) -> Step:
    child = _child(name)

    def step(focus: Nodes, scope: Scope) -> Nodes:
        return [node for node in focus if is_a(node.kind, name)] or child(focus, scope)

    return step


def _call(call: Call) -> Step:
    if call.type:
        return _of_type(call.name, call.type)
    made = FUNCTIONS.get(call.name)
    if made is None:
        raise Unsupported(f"{call.name}() is not supported")
    least, most, make = made
    if not least <= len(call.arguments) <= most:
        raise Unsupported(f"{call.name}() has a wrong number of arguments")
    if call.name in _PATTERNED and not all(isinstance(argument, Constant) for argument in call.arguments):
        raise Unsupported(f"{call.name}() needs a pattern that is written out")
    return make(*(_compile(argument, head=True) for argument in call.arguments))


def _of_type(function: str, name: str) -> Step:
    if function == "is":
        return lambda focus, _scope: boolean(is_a(only(focus).kind, name)) if focus else []
    return lambda focus, _scope: [node for node in focus if is_a(node.kind, name)]


def _then(first: Step, second: Step) -> Step:
    return lambda focus, scope: second(first(focus, scope), scope)


def _item(start: Step, index: Step) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        at = only(index(focus, scope)).value
        return start(focus, scope)[at : at + 1] if isinstance(at, int) and at >= 0 else []

    return step


def _union(left: Step, right: Step) -> Step:
    return lambda focus, scope: distinct([*left(focus, scope), *right(focus, scope)], scope)


def distinct(nodes: Nodes, scope: Scope) -> Nodes:
    """Each item once."""
    found: Nodes = []
    for node in nodes:
        scope.spend(len(found) + 1)
        if not any(same(node, other) for other in found):
            found.append(node)
    return found


def _equality(*, wanted: bool) -> Callable[[Step, Step], Step]:
    def make(left: Step, right: Step) -> Step:
        def step(focus: Nodes, scope: Scope) -> Nodes:
            answer = equal(left(focus, scope), right(focus, scope))
            return [] if answer is None else boolean(answer == wanted)

        return step

    return make


def _order(test: Callable[[int], bool]) -> Callable[[Step, Step], Step]:
    def make(left: Step, right: Step) -> Step:
        def step(focus: Nodes, scope: Scope) -> Nodes:
            order = compare(left(focus, scope), right(focus, scope))
            return [] if order is None else boolean(test(order))

        return step

    return make


def _logic(decide: Callable[[Truth, Truth], Truth]) -> Callable[[Step, Step], Step]:
    def make(left: Step, right: Step) -> Step:
        def step(focus: Nodes, scope: Scope) -> Nodes:
            answer = decide(truth(left(focus, scope)), truth(right(focus, scope)))
            return [] if answer is None else boolean(answer)

        return step

    return make


def _and(left: Truth, right: Truth) -> Truth:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def _or(left: Truth, right: Truth) -> Truth:
    if left or right:
        return True
    return None if left is None or right is None else False


def _xor(left: Truth, right: Truth) -> Truth:
    return None if left is None or right is None else left != right


def _implies(left: Truth, right: Truth) -> Truth:
    if left is None:
        return right or None
    return right if left else True


def _membership(item: Step, collection: Step) -> Step:
    def step(focus: Nodes, scope: Scope) -> Nodes:
        found = item(focus, scope)
        if not found:
            return []
        one = only(found)
        return boolean(any(same(one, other) for other in collection(focus, scope)))

    return step


def _containing(collection: Step, item: Step) -> Step:
    return _membership(item, collection)


def _concatenation(left: Step, right: Step) -> Step:
    def text(nodes: Nodes) -> str:
        return str(only(nodes).value) if nodes else ""

    return lambda focus, scope: string(text(left(focus, scope)) + text(right(focus, scope)))


def _sum(sign: int) -> Callable[[Step, Step], Step]:
    def make(left: Step, right: Step) -> Step:
        def step(focus: Nodes, scope: Scope) -> Nodes:
            one, other = left(focus, scope), right(focus, scope)
            if not one or not other:
                return []
            a, b = only(one), only(other)
            if isinstance(a.value, str) and isinstance(b.value, str) and sign > 0:
                return string(a.value + b.value)
            return [Node(a.value + sign * b.value, a.kind)]

        return step

    return make


_OPERATORS: dict[str, Callable[[Step, Step], Step]] = {
    "=": _equality(wanted=True),
    "!=": _equality(wanted=False),
    "<": _order(lambda order: order < 0),
    "<=": _order(lambda order: order <= 0),
    ">": _order(lambda order: order > 0),
    ">=": _order(lambda order: order >= 0),
    "and": _logic(_and),
    "or": _logic(_or),
    "xor": _logic(_xor),
    "implies": _logic(_implies),
    "|": _union,
    "in": _membership,
    "contains": _containing,
    "&": _concatenation,
    "+": _sum(1),
    "-": _sum(-1),
}
