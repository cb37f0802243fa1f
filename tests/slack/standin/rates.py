"""How often Slack lets a method be called: a small burst, then a steady pace; beyond that 429 with Retry-After."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

TIER_1, TIER_2, TIER_3, TIER_4 = 1, 20, 50, 100
"""Calls a minute."""

TIERS = {
    "apps.connections.open": TIER_1,
    "canvases.create": TIER_2,
    "canvases.edit": TIER_3,
    "canvases.sections.lookup": TIER_3,
    "chat.postEphemeral": TIER_4,
    "chat.postMessage": 60,  # in one channel
    "chat.update": TIER_3,
    "conversations.canvases.create": TIER_2,
    "conversations.info": TIER_3,
    "conversations.members": TIER_4,
    "pins.add": TIER_2,
    "users.info": TIER_4,
    "users.lookupByEmail": TIER_3,
    "views.open": TIER_4,
    "views.publish": TIER_4,
}
BURST = 5
"""Calls that are taken at once, after a while without any."""


class Rates:
    """The pace of each method; posts are counted for each channel."""

    def __init__(self) -> None:
        self._free_at: dict[tuple[str, object], float] = {}

    def wait(self, method: str, params: Mapping[str, Any]) -> int:
        """Seconds to wait before this call is taken; zero counts it as taken."""
        seconds = 60 / TIERS.get(method, TIER_4)
        key = (method, params.get("channel") if method == "chat.postMessage" else None)
        now = time.monotonic()
        free_at = max(self._free_at.get(key, 0.0), now - (BURST - 1) * seconds)
        if free_at > now:
            return math.ceil(free_at - now)
        self._free_at[key] = free_at + seconds
        return 0
