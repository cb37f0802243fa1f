"""Slack's limits on blocks and views, those that are easily overstepped."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from .records import Json


def complaints_about_blocks(blocks: object, limit: int = 50) -> list[str]:
    """What Slack would refuse in these blocks."""
    if not isinstance(blocks, list) or not all(isinstance(b, dict) and "type" in b for b in blocks):
        return ["blocks must be a list of objects with a type"]
    found = [f"no more than {limit} items allowed"] if len(blocks) > limit else []
    for block in blocks:
        found += _about_block(block)
    ids = [b["block_id"] for b in blocks if "block_id" in b]
    return found + (["block_id must be unique"] if len(set(ids)) < len(ids) else [])


def complaints_about_view(view: object) -> list[str]:
    """What Slack would refuse in this view."""
    if not isinstance(view, dict) or view.get("type") not in ("modal", "home"):
        return ["a view has a type"]
    found = complaints_about_blocks(view.get("blocks"), 100)
    found += ["a view holds 250 kB"] if len(json.dumps(view, ensure_ascii=False).encode()) > 250_000 else []
    if view["type"] == "modal":
        found += _text(view.get("title"), 24, "title", needed=True)
        found += _text(view.get("submit"), 24, "submit") + _text(view.get("close"), 24, "close")
        if any(b.get("type") == "input" for b in view.get("blocks") or []) and not view.get("submit"):
            found.append("submit is needed with input blocks")
    found += _length(view.get("callback_id"), 255, "callback_id")
    return found + _length(view.get("private_metadata"), 3000, "private_metadata")


def characters(blocks: object) -> int:
    """How many characters all texts of these blocks have together."""
    if isinstance(blocks, dict):
        text = blocks.get("text")
        own = len(text) if isinstance(text, str) else 0
        return own + sum(characters(value) for value in blocks.values())
    return sum(characters(value) for value in blocks) if isinstance(blocks, list) else 0


def elements(blocks: Iterable[Json]) -> list[tuple[Json, Json]]:
    """Every interactive element with the block that it is in."""
    found: list[tuple[Json, Json]] = []
    for block in blocks:
        inside: Sequence[Any] = block.get("elements") or [block.get("accessory"), block.get("element")]
        found += [(block, e) for e in inside if isinstance(e, dict) and "action_id" in e]
    return found


def _about_block(block: Json) -> list[str]:
    found = _length(block.get("block_id"), 255, "block_id")
    match block["type"]:
        case "section":
            found += _text(block.get("text"), 3000, "section text", needed=not block.get("fields"))
            fields = block.get("fields") or []
            found += ["no more than 10 fields"] if len(fields) > 10 else []
            for one in fields:
                found += _text(one, 2000, "field")
        case "header":
            found += _text(block.get("text"), 150, "header", needed=True)
        case "actions":
            found += [] if 0 < len(block.get("elements") or []) <= 25 else ["actions hold 1 to 25 elements"]
        case "context":
            found += [] if 0 < len(block.get("elements") or []) <= 10 else ["a context holds 1 to 10 elements"]
        case "input":
            found += _text(block.get("label"), 2000, "label", needed=True) + _text(block.get("hint"), 2000, "hint")
    inside = [element for _, element in elements([block])]
    ids = [element["action_id"] for element in inside]
    found += ["action_id must be unique in a block"] if len(set(ids)) < len(ids) else []
    for element in inside:
        found += _about_element(element)
    return found


def _about_element(element: Json) -> list[str]:
    found = _length(element["action_id"], 255, "action_id")
    match element.get("type"):
        case "button":
            found += _text(element.get("text"), 75, "button text", needed=True)
            found += _length(element.get("value"), 2000, "button value")
        case "plain_text_input":
            longest = element.get("max_length", 3000)
            found += [] if 0 < longest <= 3000 else ["max_length must be from 1 to 3000"]
        case "radio_buttons" | "checkboxes":
            options = element.get("options") or []
            found += [] if 0 < len(options) <= 10 else ["a group holds 1 to 10 options"]
            initial = [element["initial_option"]] if "initial_option" in element else element.get("initial_options")
            if initial is not None and not (initial and all(option in options for option in initial)):
                found.append("initial options must be among the options, and some")
            for option in options:
                found += _text(option.get("text"), 75, "option text", needed=True)
                found += _length(option.get("value"), 150, "option value", needed=True)
        case "static_select":
            options = element.get("options") or [o for g in element.get("option_groups") or [] for o in g["options"]]
            found += ["a menu holds 1 to 100 options"] if not options else complaints_about_options(options)
            if "initial_option" in element and element["initial_option"] not in options:
                found.append("initial_option must be among the options")
        case "external_select":
            found += _text(element.get("placeholder"), 150, "placeholder")
            least = element.get("min_query_length", 3)
            found += [] if isinstance(least, int) and least >= 0 else ["min_query_length must be a number"]
            found += ["an external_select has no options of its own"] if "options" in element else []
    return found


def complaints_about_options(options: object) -> list[str]:
    """What Slack would refuse in the options of a menu, or in those that are suggested for what was typed."""
    if not isinstance(options, list) or not all(isinstance(option, dict) for option in options):
        return ["options must be a list of objects"]
    found = ["a menu holds 1 to 100 options"] if len(options) > 100 else []
    for option in options:
        found += _text(option.get("text"), 75, "option text", needed=True)
        found += _length(option.get("value"), 150, "option value", needed=True)
        found += [] if (option.get("text") or {}).get("type") == "plain_text" else ["an option's text is plain_text"]
    return found


def _text(value: object, limit: int, name: str, *, needed: bool = False) -> list[str]:
    if value is None:
        return [f"{name} is missing"] if needed else []
    if not isinstance(value, dict) or value.get("type") not in ("mrkdwn", "plain_text"):
        return [f"{name} must be a text object"]
    return _length(value.get("text"), limit, name, needed=True)


def _length(value: object, limit: int, name: str, *, needed: bool = False) -> list[str]:
    if value is None:
        return [f"{name} is missing"] if needed else []
    if not isinstance(value, str):
        return [f"{name} must be a string"]
    if needed and not value:
        return [f"{name} is empty"]
    return [f"{name} is longer than {limit} characters"] if len(value) > limit else []
