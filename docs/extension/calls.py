"""The HTTP API, from its OpenAPI description, which is made of the routes and of the models that check the input."""

from __future__ import annotations

from functools import cache
from typing import Any

from mac_actors import Fleet
from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from mac_actors.web.api.openapi import description
from mac_actors.web.app import create_app

_PLAIN = {"string": "string", "integer": "whole number", "number": "number", "boolean": "true or false", "null": "null"}


@cache
def _description() -> dict[str, Any]:
    with Fleet.open({}, [], None) as fleet:
        return description(create_app(fleet, Access(Tokens()), fleet.reload).routes)


def calls(tag: str) -> list[str]:
    """Each call of one kind (Readers, Admins, Reading): what it takes and what it answers."""
    lines: list[str] = []
    for path, methods in _description()["paths"].items():
        for method, call in methods.items():
            if call["tags"] == [tag]:
                lines += _call(f"{method.upper()} {path.replace('{name}', 'NAME')}", call)
    return lines


def models(which: str) -> list[str]:
    """The fields of all models that are ``sent``, or that are ``answered``."""
    schemas = _description()["components"]["schemas"]
    lines: list[str] = []
    bodies = [call.get("requestBody") for methods in _description()["paths"].values() for call in methods.values()]
    sent = {body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2] for body in bodies if body}
    for name in schemas:
        if (name in sent) is not (which == "sent"):
            continue
        schema = schemas[name]
        lines += [f".. _model-{name.lower()}:", "", f".. rubric:: {schema['title']}", ""]
        lines += [_sentence(schema.get("description", "").replace("\n", " ")), "", *_fields(schema), ""]
    return lines


def _call(title: str, call: dict[str, Any]) -> list[str]:
    lines = [f".. rubric:: ``{title}``", "", _sentence(call["summary"]), ""]
    if "security" in call:
        token = "MAC_ADMIN_TOKEN" if {"admin": []} in call["security"] else "MAC_READER_TOKEN"
        lines += [f"Header ``Authorization: Bearer`` with ``{token}``, if that is set.", ""]
    asked = [p for p in call.get("parameters", []) if p["in"] == "query"]
    if asked:
        lines += [f"* ``?{p['name']}=``: {_kind(p['schema'])}{_more(p.get('description'))}" for p in asked] + [""]
    if "requestBody" in call:
        needed = "" if call["requestBody"]["required"] else " (optional)"
        lines += [f"Body{needed}: {_body(call['requestBody'])}", ""]
    bad = [status for status, answer in call["responses"].items() if "ErrorBody" in str(answer)]
    good = {status: answer for status, answer in call["responses"].items() if status not in bad}
    for status, answer in good.items():
        meaning = f" {_sentence(answer['description'])}" if len(good) > 1 else ""
        lines += [f"Answer {status}: {_body(answer)}.{meaning}", ""]
    if bad:
        lines += [f"Errors: {', '.join(bad)}.", ""]
    return lines


def _body(holder: dict[str, Any]) -> str:
    content = holder.get("content", {})
    schema = content.get("application/json", {}).get("schema")
    return _kind(schema) if schema else ", ".join(f"``{kind}``" for kind in content) or "nothing"


def _fields(schema: dict[str, Any]) -> list[str]:
    if "enum" in schema:
        return ["One of " + ", ".join(f"``{value}``" for value in schema["enum"]) + "."]
    required = set(schema.get("required", []))
    lines = []
    for name, field in schema["properties"].items():
        optional = "" if name in required else ", optional"
        lines += [f"* ``{name}``: {_kind(field)}{optional}{_more(field.get('description'))}"]
    return lines


def _kind(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_kind(part) for part in schema["anyOf"])
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        title = _description()["components"]["schemas"][name]["title"]
        return f":ref:`{title} <model-{name.lower()}>`"
    if "enum" in schema:
        return "one of " + ", ".join(f"``{value}``" for value in schema["enum"])
    if "const" in schema:
        return f"``{schema['const']}``".lower()
    if schema.get("type") == "array":
        if "prefixItems" in schema:
            return f"list of {len(schema['prefixItems'])} ({_kind(schema['prefixItems'][0])})"
        return f"list of {_kind(schema['items'])}"
    if schema.get("type") == "object":
        return "object"
    if schema.get("format") in {"date-time", "date"}:
        return {"date-time": "time", "date": "day"}[schema["format"]]
    return _PLAIN[schema.get("type", "string")]


def _more(text: str | None) -> str:
    return f". {_sentence(text)}" if text else ""


def _sentence(text: str) -> str:
    # the models write code as Markdown does, in which the page at /docs shows it
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}".replace("``", "`").replace("`", "``")
