"""The results of a soak (``make soak`` writes them as JSON), as a table."""

from __future__ import annotations

import json
from pathlib import Path

DOCS = Path(__file__).parents[1]


def soak(name: str) -> list[str]:
    """What was done in the soak whose results are in this file, how often, and what was seen."""
    results = json.loads((DOCS / name).read_text(encoding="utf-8"))
    lines = [f"{results['summary'][:1].upper()}{results['summary'][1:]}.", ""]
    lines += [".. list-table::", "   :header-rows: 1", "   :widths: 18 7 32 33 10", ""]
    lines += _row("fault", "times", "promised", "worst seen", "audit")
    for fault, tally in sorted(results["faults"].items()):
        lines += _row(f"``{fault}``", str(tally["times"]), tally["promised"], tally["worst"], tally["audit"])
    return lines


def _row(*cells: str) -> list[str]:
    return [f"   {' ' if number else '*'} - {_plain(cell)}" for number, cell in enumerate(cells)]


def _plain(text: str) -> str:
    return text if text.startswith("``") else text.replace("*", "\\*").replace("`", "'").replace("|", "\\|") or "–"
