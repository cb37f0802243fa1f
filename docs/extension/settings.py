"""The environment's variables and the two files' keys, from where they are checked."""

from __future__ import annotations

import types
import typing

from pydantic import BaseModel

from mac_actors.settings import environment
from mac_actors.settings.machine_entries import MachineEntry, MaintenanceEntry, OfflineEntry, SecondRelayEntry
from mac_actors.settings.slack_file import QuietEntry, ReminderEntry, SlackEntry
from mac_actors.settings.user_entries import UserEntry
from mac_actors.settings.webhooks import WebhookEntry

MODELS: dict[str, type[BaseModel]] = {
    "slack": SlackEntry,
    "quiet_hours": QuietEntry,
    "remind_after_days": ReminderEntry,
    "machine": MachineEntry,
    "second_relay": SecondRelayEntry,
    "maintenance": MaintenanceEntry,
    "offline": OfflineEntry,
    "user": UserEntry,
    "webhook": WebhookEntry,
}

_TYPES = {str: "string", bool: "true or false", list: "list of strings", int: "whole number", float: "number"}


def variables(group: str) -> list[str]:
    """A table of one group of variables: FILES, SERVER or SLACK."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 30 15 55", ""]
    lines += ["   * - variable", "     - default", "     - what it is"]
    for variable in getattr(environment, group):
        default = f"``{variable.default}``" if variable.default else ""
        lines += [f"   * - ``{variable.name}``", f"     - {default}", f"     - {variable.meaning}"]
    return lines


def keys(which: str) -> list[str]:
    """The keys of a machine, a second relay, what a reader does offline, or a user."""
    lines = []
    for name, field in MODELS[which].model_fields.items():
        kind = _kind(field.annotation)
        if field.is_required():
            need = "required"
        else:
            need = f"default ``{str(field.default).lower()}``" if field.default is not None else "optional"
        lines += [f"``{field.alias or name}``", f"   {kind.capitalize()}, {need}. {field.description}", ""]
    return lines


def _kind(annotation: object) -> str:
    if isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union:
        annotation = next(part for part in typing.get_args(annotation) if part is not types.NoneType)
    if typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is typing.Literal:
        return " or ".join(f"``{word}``" for word in typing.get_args(annotation))
    annotation = typing.get_origin(annotation) or annotation
    return _TYPES.get(annotation, "object")
