"""Reads the plain data out of a pickle, and runs nothing that is in it.

Python's own unpickler imports and calls what a pickle names. This one can't: it is a small stack machine over
the opcodes that :mod:`pickletools` tells apart, and it knows plain values alone. Whatever would be an object
(a class, a call, a reference to outside) becomes :data:`OPAQUE`, an empty value that nobody asks anything.
"""

from __future__ import annotations

import pickletools
import warnings
from collections.abc import Callable
from typing import Any, Final, TypeVar

Made = TypeVar("Made")

LONGEST = 64 * 1024
"""Bytes of a pickle at the most; the old server's have about 1 KiB. It bounds time and memory: no opcode multiplies."""

FRAMING = frozenset({"PROTO", "FRAME"})

VALUES = frozenset(
    {
        *("NONE", "NEWTRUE", "NEWFALSE", "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"),
        *("FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "SHORT_BINUNICODE", "BINUNICODE"),
        *("BINUNICODE8", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
"""Opcodes that are a value by themselves."""

CONSTANTS: Final = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}

TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
"""Opcodes that make a tuple (a list, here) of so many values."""

OBJECTS = {
    **dict.fromkeys(("GLOBAL", "PERSID", "EXT1", "EXT2", "EXT4", "NEXT_BUFFER", "EMPTY_SET"), 0),
    **dict.fromkeys(("BINPERSID", "READONLY_BUFFER"), 1),
    **dict.fromkeys(("STACK_GLOBAL", "REDUCE", "NEWOBJ", "BUILD"), 2),
    "NEWOBJ_EX": 3,
}
"""Opcodes that make or change an object, and how many values each takes off the stack; all leave one opaque value."""


class _Opaque:
    """What stands in the place of any object. It has nothing, and can do nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "OPAQUE"


OPAQUE: Final = _Opaque()

_MARK: Final = _Opaque()


class PickleError(ValueError):
    """Not a pickle, a damaged one, or one that is not made of plain data; its text says where."""


def read(data: bytes) -> object:
    """Return what the pickle holds: numbers, text, lists, dicts with text as keys, and :data:`OPAQUE`.

    Never imports, calls or builds anything else. Raises :class:`PickleError` for whatever is not that.
    """
    if len(data) > LONGEST:
        raise PickleError(f"it is longer than {LONGEST} bytes")
    machine = _Machine()
    for name, argument, position in _opcodes(data):
        if name == "STOP":
            return machine.result()
        try:
            machine.do(name, argument)
        except PickleError as error:
            raise PickleError(f"{error} (byte {position})") from None
    raise PickleError("it has no end")


def _opcodes(data: bytes) -> list[tuple[str, Any, int]]:
    try:
        with warnings.catch_warnings(action="ignore"):  # of escapes that text of Python 2 has
            return [(opcode.name, argument, position or 0) for opcode, argument, position in pickletools.genops(data)]
    except ValueError as error:
        raise PickleError(f"it is damaged, or no pickle at all ({str(error)[:80]})") from None


class _Machine:
    """The stack, the memo, and one method for each kind of opcode."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def result(self) -> object:
        """Return the one value that is left."""
        if len(self._stack) != 1 or self._stack[0] is _MARK:
            raise PickleError("it does not end with one value")
        return self._stack[0]

    def do(self, name: str, argument: Any) -> None:
        """Carry out one opcode."""
        if name in FRAMING:
            return
        if name in VALUES:
            self._stack.append(CONSTANTS.get(name, argument))
        elif name in TUPLES:
            self._stack.append(self._take(TUPLES[name]))
        elif name in OBJECTS:
            self._take(OBJECTS[name])
            self._stack.append(OPAQUE)
        elif name in _ACTIONS:
            _ACTIONS[name](self, argument)
        else:
            raise PickleError(f"it has an opcode that is not known: {name}")

    # the stack

    def _pop(self) -> Any:
        if not self._stack or self._stack[-1] is _MARK:
            raise PickleError("a value is missing")
        return self._stack.pop()

    def _take(self, count: int) -> list[Any]:
        return [self._pop() for _ in range(count)][::-1]

    def _to_mark(self) -> list[Any]:
        taken: list[Any] = []
        while self._stack:
            value = self._stack.pop()
            if value is _MARK:
                return taken[::-1]
            taken.append(value)
        raise PickleError("a mark is missing")

    def _top(self, kind: type[Made]) -> Made | None:
        """Return the value on top, to be added to; ``None``: it is opaque, and what is added is thrown away."""
        top = self._pop()
        self._stack.append(top)
        if top is OPAQUE:
            return None
        if type(top) is not kind:
            raise PickleError(f"a {kind.__name__} is missing")
        return top

    # the opcodes

    def mark(self, _argument: Any) -> None:
        self._stack.append(_MARK)

    def pop(self, _argument: Any) -> None:
        if not self._stack:
            raise PickleError("a value is missing")
        self._stack.pop()

    def pop_mark(self, _argument: Any) -> None:
        self._to_mark()

    def dup(self, _argument: Any) -> None:
        value = self._pop()
        self._stack += [value, value]

    def put(self, argument: Any) -> None:
        value = self._pop()
        self._memo[argument] = value
        self._stack.append(value)

    def memoize(self, _argument: Any) -> None:
        self.put(len(self._memo))

    def get(self, argument: Any) -> None:
        if argument not in self._memo:
            raise PickleError("it refers to a value that it does not have")
        self._stack.append(self._memo[argument])

    def empty_list(self, _argument: Any) -> None:
        self._stack.append([])

    def empty_dict(self, _argument: Any) -> None:
        self._stack.append({})

    def marked_list(self, _argument: Any) -> None:
        self._stack.append(self._to_mark())

    def marked_dict(self, _argument: Any) -> None:
        self._stack.append(_filled({}, self._to_mark()))

    def append(self, _argument: Any) -> None:
        self._add(self._take(1))

    def appends(self, _argument: Any) -> None:
        self._add(self._to_mark())

    def _add(self, values: list[Any]) -> None:
        target = self._top(list)
        if target is not None:
            target.extend(values)

    def set_item(self, _argument: Any) -> None:
        self._set(self._take(2))

    def set_items(self, _argument: Any) -> None:
        self._set(self._to_mark())

    def _set(self, values: list[Any]) -> None:
        target = self._top(dict)
        if target is not None:
            _filled(target, values)

    def opaque_of(self, _argument: Any) -> None:
        self._to_mark()
        self._stack.append(OPAQUE)

    def add_items(self, _argument: Any) -> None:
        self._to_mark()
        self._stack.append(self._pop())


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.pop,
    "POP_MARK": _Machine.pop_mark,
    "DUP": _Machine.dup,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT"), _Machine.put),
    "MEMOIZE": _Machine.memoize,
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _Machine.get),
    "EMPTY_LIST": _Machine.empty_list,
    "EMPTY_DICT": _Machine.empty_dict,
    **dict.fromkeys(("LIST", "TUPLE"), _Machine.marked_list),
    "DICT": _Machine.marked_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    **dict.fromkeys(("FROZENSET", "INST", "OBJ"), _Machine.opaque_of),
    "ADDITEMS": _Machine.add_items,
}


def _filled(target: dict[str, Any], values: list[Any]) -> dict[str, Any]:
    """Put keys and values into a dict. Text alone is a key, so that nothing else is ever hashed or compared."""
    if len(values) % 2:
        raise PickleError("a key has no value")
    for key, value in zip(values[::2], values[1::2], strict=True):
        if type(key) is not str:
            raise PickleError("a key is not text")
        target[key] = value
    return target
