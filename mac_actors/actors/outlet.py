"""A way out of the outbox: one of the chat's channels, or a webhook."""

from __future__ import annotations

import logging
import time

from mac_actors.actors.pump import Pump

log = logging.getLogger(__name__)


class Outlet(Pump):
    """Base of the actors that take what waits in the outbox to somebody outside: how that goes.

    ``label`` is what people are told it is.
    """

    def __init__(self, name: str, label: str) -> None:
        self.label = label
        self.error: str | None = None
        """Why what was sent last was refused; ``None`` while all is well."""
        self.posted = 0
        self.retried = 0
        self.given_up = 0
        self.failing_since: float | None = None
        """Since when (``time.monotonic()``) all is refused; ``None`` while all is well."""
        super().__init__(name)

    def _complain(self, error: Exception) -> None:
        """Count a refusal, and say it once."""
        self.retried += 1
        if str(error) != self.error:
            log.error("notices for the %s wait: %s", self.label, error)
        self.error = str(error)
        self.failing_since = self.failing_since or time.monotonic()

    def _well(self) -> None:
        """Say, after a refusal, that all is well again."""
        if self.error is not None:
            log.warning("the %s takes notices again", self.label)
        self.error = self.failing_since = None
