"""``mac-actors`` with some of its constants changed: ``FAULTS_CONSTANTS`` is JSON, ``{"module:NAME": value}``.

A number takes the type of what it replaces; for a ``timedelta`` it is seconds. ``NAME`` may be ``Class.NAME``.
"""

from __future__ import annotations

import importlib
import json
import os
from datetime import timedelta


def change_constants(constants: dict[str, float]) -> None:
    for where, value in constants.items():
        module, _, path = where.partition(":")
        holder: object = importlib.import_module(module)
        *parents, name = path.split(".")
        for parent in parents:
            holder = getattr(holder, parent)
        old = getattr(holder, name)
        setattr(holder, name, timedelta(seconds=value) if isinstance(old, timedelta) else type(old)(value))


if __name__ == "__main__":
    change_constants(json.loads(os.environ.get("FAULTS_CONSTANTS", "{}")))
    from mac_actors.cli import main

    main(prog_name="mac-actors")
