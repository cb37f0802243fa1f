"""What a page says of what was done just now."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict


class Notes:
    """What is to be said on the next page that a browser without the script is sent to. Each is said once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, str] = OrderedDict()

    def keep(self, text: str) -> str:
        """Keep a text; returns the key that the next page brings along."""
        key = secrets.token_urlsafe(8)
        with self._lock:
            self._kept[key] = text
            while len(self._kept) > 100:
                self._kept.popitem(last=False)
        return key

    def take(self, key: str) -> str | None:
        """Return the text, once."""
        with self._lock:
            return self._kept.pop(key, None)
