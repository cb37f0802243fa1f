"""What servers hold back while nobody owns the machines, on its way to the owner: they tell it, and it takes it."""

from __future__ import annotations

import http.client
import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError

from mac_actors.cluster.holding import HoldingFleet, as_json, from_json
from mac_actors.cluster.passing import OwnerGone, Passing
from mac_actors.core.inputs import Input
from mac_actors.errors import MachineUnavailable, UnknownMachine
from mac_actors.fleet.fleet import MachineFleet

log = logging.getLogger(__name__)

HELD = "/cell/held"
"""Where the owner takes it. Only those of the cell are answered there."""

PORTION_BYTES = 32 * 1024
"""Inputs are told in portions of this: a request has 64 KiB at the most."""

TAKING_SECONDS = 1.0
"""So long one waits that comes while another one is taken."""

TAKEN_KEPT = 10_000
"""So many inputs that were taken are remembered, so that none counts twice."""

NOBODY = (
    "no server owns the machines at this moment, because another one is taking over: nothing was changed; "
    "try again in a few seconds"
)

_REFUSED = frozenset({http.client.REQUEST_ENTITY_TOO_LARGE, http.client.UNPROCESSABLE_ENTITY})


class Telling:
    """Tells owners what the ``holding`` fleet of this server has held back. Any thread may call."""

    def __init__(self, passing: Passing, holding: HoldingFleet) -> None:
        self._passing = passing
        self._holding = holding
        self._telling = threading.Lock()

    def here(self, fleet: MachineFleet) -> None:
        """Tell this server's own fleet, which owns the machines: before it is asked anything, and once more when it is.

        What it can't decide yet is told later.
        """
        self._holding.hand_over(lambda inputs: take_up(fleet, inputs))

    def to(self, owner: str, until: float | None = None) -> None:
        """Tell the owner at this URL everything before ``until``; ``None``: as long as it answers each part in time.

        Raises :class:`OwnerGone`: the rest is told later.
        """
        if not self._telling.acquire(timeout=max(0.0, (until or self._passing.until()) - time.monotonic())):
            raise OwnerGone(f"{owner} is being told what was held back", maybe_done=False)
        try:
            if self._passing.gone == owner:
                raise OwnerGone(f"{owner} did not answer", maybe_done=False)
            self._holding.hand_over(
                lambda inputs: self._send(
                    owner, [(name, one) for name, given in inputs.items() for one in given], until
                )
            )
        finally:
            self._telling.release()

    def _send(self, owner: str, items: list[tuple[str, Input]], until: float | None) -> set[str]:
        """Tell the owner of inputs, each with its machine; in halves where they are too many, or some are wrong.

        Returns the machines of those that it only holds, too.
        """
        inputs: dict[str, tuple[Input, ...]] = {}
        for name, one in items:
            inputs[name] = (*inputs.get(name, ()), one)
        body = json.dumps({name: as_json(name, given) for name, given in inputs.items()}).encode()
        status: int = http.client.REQUEST_ENTITY_TOO_LARGE
        if len(body) <= PORTION_BYTES or len(items) == 1:
            status = self._passing.ask(owner, "POST", HELD, self._passing.until() if until is None else until, body)
        if status not in {http.client.OK, http.client.ACCEPTED, *_REFUSED}:
            raise OwnerGone(f"{owner} does not take what was held back ({status})", maybe_done=False)
        if status in _REFUSED and len(items) > 1:
            half = len(items) // 2
            return self._send(owner, items[:half], until) | self._send(owner, items[half:], until)
        if status in _REFUSED:
            name, one = items[0]
            what = type(one).__name__
            log.critical("%s: %s refuses what was held back (%d), it is lost: %s", name, owner, status, what)
        return set(inputs) if status == http.client.ACCEPTED else set()


class Taking:
    """Takes, as the owner, what other servers have held back. ``fleet`` returns this server's, while it is in use."""

    def __init__(self, fleet: Callable[[], MachineFleet | None], owns: Callable[[], bool]) -> None:
        self._fleet = fleet
        self._owns = owns
        self._lock = threading.Lock()
        self.taken: dict[str, None] = {}
        """The last inputs that were taken, by what tells them apart."""

    def take(self, body: bytes, sent: float | None) -> tuple[str, str]:
        """Take inputs as another server tells them, who did so at ``sent``.

        Returns the answer's status, and what is wrong: they are to be told again then.
        """
        if not self._lock.acquire(timeout=TAKING_SECONDS):
            return _UNAVAILABLE, NOBODY
        try:  # one at a time: whoever got no answer in time may tell the same once more, before it is known to be taken
            return self._take(body, sent)
        finally:
            self._lock.release()

    def _take(self, body: bytes, sent: float | None) -> tuple[str, str]:
        fleet = self._fleet()
        if fleet is None:
            return _UNAVAILABLE, NOBODY
        try:
            items: dict[str, list[dict[str, Any]]] = json.loads(body)
            # the answer may have been lost to what was taken before
            new = {name: [one for one in given if str(one["id"]) not in self.taken] for name, given in items.items()}
            inputs = {name: from_json(given, sent) for name, given in new.items()}
        except (ValueError, ValidationError, KeyError, TypeError, AttributeError):
            return "422 Unprocessable Entity", "expected inputs by machine"
        left = take_up(fleet, inputs)
        if self._fleet() is not fleet:
            return _UNAVAILABLE, NOBODY  # it may have been closed before it had them: the next one is told
        self.taken |= dict.fromkeys(
            str(one["id"]) for name, given in items.items() if name not in left for one in given
        )
        for oldest in list(self.taken)[:-TAKEN_KEPT]:
            self.taken.pop(oldest, None)
        if left:
            return _UNAVAILABLE, f"not taken: {', '.join(left)}"
        # while it does not own, these are held here as well: it may end before it has told anybody
        return "200 OK" if self._owns() else "202 Accepted", ""


_UNAVAILABLE = "503 Service Unavailable"


def take_up(fleet: MachineFleet, inputs: dict[str, tuple[Input, ...]]) -> set[str]:
    """Have a fleet of this server decide inputs; returns the machines that have not taken theirs."""
    left = set()
    for name, given in inputs.items():
        try:
            fleet.take_up(name, given)
        except UnknownMachine:
            pass
        except MachineUnavailable as error:
            log.warning("%s: what was held back is told later: %s", name, error)
            left.add(name)
    return left
