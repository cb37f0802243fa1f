"""Commands that came by MQTT: read, and carried out in a thread of their own, so that the connection never waits."""

from __future__ import annotations

import json
import logging
import queue
import threading
from datetime import UTC, datetime

from mac_actors.actors.messages import MOVING
from mac_actors.core.changed import Changed
from mac_actors.core.inputs import COMMANDS, Command, Lock, Oops
from mac_actors.core.state import Source
from mac_actors.core.text import one_line, tidy
from mac_actors.errors import MacError, MachineUnavailable
from mac_actors.fleet.fleet import MachineFleet

log = logging.getLogger(__name__)

LONGEST = 2000
"""Bytes of a command; a longer one is none."""

WAITING = 100
"""Commands that may wait. What comes beyond that is dropped, and the log says so."""


def read_command(payload: bytes, now: datetime) -> Command:
    """Read a command: its word, or ``{"command": "lock", "reason": "…"}``. Raises ``ValueError`` for anything else."""
    if len(payload) > LONGEST:
        raise ValueError(f"a command has {LONGEST} bytes at the most")
    text = payload.decode("utf-8").strip()
    given = json.loads(text) if text.startswith("{") else {"command": text}
    word, reason = given.get("command"), given.get("reason")
    if not isinstance(word, str) or word not in COMMANDS or not isinstance(reason, str | None):
        raise ValueError(f"a command is one of {', '.join(COMMANDS)}")
    return COMMANDS[word](now, Source.MQTT, None, tidy(reason or "")[:1000] or None)


class Commands:
    """Carries them out, one after the other."""

    def __init__(self, fleet: MachineFleet) -> None:
        self._fleet = fleet
        self._waiting: queue.Queue[tuple[str, bytes, datetime] | None] = queue.Queue(WAITING)
        self._dropping = Changed()
        self._thread = threading.Thread(target=self._work, name="mqtt-commands", daemon=True)
        self._thread.start()

    def add(self, name: str, payload: bytes) -> None:
        """Take a command for a machine. Never blocks."""
        try:
            self._waiting.put_nowait((name, payload[: LONGEST + 1], datetime.now(UTC)))
            self._dropping(False)
        except queue.Full:
            if self._dropping(True):
                log.error("more MQTT commands come than can be carried out: some are dropped")

    def close(self, timeout: float) -> None:
        """Finish the one under way, and stop."""
        while True:
            try:
                self._waiting.put_nowait(None)
                break
            except queue.Full:
                try:
                    self._waiting.get_nowait()
                except queue.Empty:
                    continue
        self._thread.join(timeout)

    def _work(self) -> None:
        while (given := self._waiting.get()) is not None:
            name, payload, at = given
            try:
                command = read_command(payload, at)
                if not (self._fleet.owns or isinstance(command, Oops | Lock)):  # the server that does has it, too
                    raise MachineUnavailable(MOVING)
                answer = self._fleet.ask(self._fleet.find(name), command)
            except (ValueError, RecursionError) as error:
                why = one_line(error) if type(error) is ValueError else type(error).__name__
                log.warning("a message for %r by MQTT is no command (%s): nothing was changed", name[:80], why)
            except MacError as error:
                log.warning("a command by MQTT was not carried out: %s", error)
            except Exception:
                log.exception("a command by MQTT failed")
            else:
                if answer.already:
                    log.info("a command by MQTT for %s changed nothing: %s", name, ", ".join(answer.already))
