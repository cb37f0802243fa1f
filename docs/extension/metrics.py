"""The metrics, from the table that /metrics is made of."""

from __future__ import annotations

from mac_actors.web.metrics.table import TABLE


def metrics(which: str) -> list[str]:
    """A table of all metrics whose names begin with ``mac_`` (``mac_``), or of the others (``machine_``)."""
    lines = [".. list-table::", "   :widths: 40 15 45", "   :header-rows: 1", ""]
    lines += ["   * - metric", "     - type; labels", "     - what it says"]
    for metric in TABLE:
        if metric.name.startswith("mac_") is (which == "mac_"):
            labels = ", ".join(f"``{label}``" for label in metric.labels)
            lines += [f"   * - ``{metric.name}``", f"     - {metric.kind}{'; ' if labels else ''}{labels}"]
            lines += [f"     - {metric.help}"]
    return lines
