"""JSON as it goes out."""

from __future__ import annotations


def json_line(json: str) -> bytes:
    """Return JSON as an answer's body; it ends its line, so that a terminal shows it well."""
    return f"{json}\n".encode("utf-8", "replace")
