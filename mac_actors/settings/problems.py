"""How mistakes in a file are described: what is expected, and what is there instead."""

from __future__ import annotations

import json

from pydantic_core import ErrorDetails

_EXPECTED = {
    "missing": "is required",
    "extra_forbidden": "is not a known key; look for a typing error",
    "string_type": "expected a string",
    "bool_type": "expected true or false",
    "float_type": "expected a number",
    "list_type": "expected a list",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
    "string_unicode": "expected text that is valid Unicode",
}


_WHOLE = {"model_type", "model_attributes_type", "dict_type"}
"""An entry that is something else altogether: what stands there may be a fob, or a secret address."""

_PRIVATE = {"fob_codes", "email", "url", "secret"}
"""What is wrong with these is said, but not what they are: errors go into replies, logs and terminals."""


_TYPES = {str: "a string", int: "a number", float: "a number", list: "a list", dict: "an object"}


def problem(key: str | int, details: ErrorDetails) -> str:
    """Say where in the file a mistake is (in the entry ``key``), and what it is."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in (key, *details["loc"]))
    return f"{path.removeprefix('.')}: {explain(details)}"


def explain(details: ErrorDetails) -> str:
    """Say what is expected instead of what the models refuse, and, unless it is private, what is there."""
    kind = details["type"]
    if kind == "value_error":
        message = "expected " + str(details.get("ctx", {}).get("error", details["msg"]))
    elif kind == "literal_error":
        message = f"expected {details['ctx']['expected']}"
    else:
        message = _EXPECTED.get(kind, details["msg"])
    hidden = kind in {"missing", "extra_forbidden"} or _PRIVATE & {*details["loc"]}
    given = what_it_is(details["input"]) if kind in _WHOLE else excerpt(details["input"])
    return message if hidden else f"{message}, not {given}"


def what_it_is(value: object) -> str:
    """Return what kind of thing is there, and nothing of what is in it."""
    return excerpt(value) if value is None or isinstance(value, bool) else _TYPES.get(type(value), "something else")


def excerpt(value: object) -> str:
    """Return what is there, as JSON, shortened."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "something nested very deep"
    return text if len(text) <= 60 else text[:57] + "..."


def printed(line: str) -> str:
    """Return a problem as one line that can be printed, whatever characters the file has."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line)
