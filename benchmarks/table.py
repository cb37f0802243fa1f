"""What was measured, as it is kept for docs/performance.rst: a table as text, and charts."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"

BLUE, RED = "#0072b2", "#d55e00"
COLORS = (BLUE, RED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8b5a2b")

LEFT, WIDTH, HEIGHT = 60, 420, 240
"""Of a curve's field, in pixels."""


@dataclass
class Table:
    """Name, value, goal; and charts by file name."""

    name: str
    rows: list[tuple[str, str, str]] = field(default_factory=list)
    charts: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, name: str, value: str, goal: str = "") -> None:
        self.rows.append((name, value, goal))
        print(self._line(name, value, goal), flush=True)

    def fail(self, what: str) -> None:
        """Say what could not be measured, or broke a promise."""
        self.failures.append(what)
        self.rows.append((f"FAILED: {what.splitlines()[0][:100]}", "", ""))
        print(f"FAILED {what}", file=sys.stderr, flush=True)

    def text(self) -> str:
        return "".join(f"{self._line(*row)}\n" for row in self.rows)

    def write(self) -> None:
        """Write it where the documentation takes it from."""
        (DOCS / f"{self.name}.txt").write_text(self.text(), encoding="utf-8")
        for name, chart in self.charts.items():
            (DOCS / "_static" / f"{name}.svg").write_text(chart, encoding="utf-8")

    @staticmethod
    def _line(name: str, value: str, goal: str) -> str:
        return f"{name:68} {value:38} {goal}".rstrip()


def bars(shares: Mapping[str, float]) -> str:
    """Return shares as bars; the line is 1."""
    drawn = []
    for number, (name, share) in enumerate(shares.items()):
        y = 24 * number + 8
        drawn.append(f'<text x="196" y="{y + 12}" text-anchor="end">{name}</text>')
        drawn.append(f'<rect x="204" y="{y}" width="{share * 200:.0f}" height="16" fill="{BLUE}"/>')
        drawn.append(f'<text x="{share * 200 + 210:.0f}" y="{y + 12}">{share:.2f}</text>')
    height = 24 * len(shares) + 8
    return _svg(height, [*drawn, f'<line x1="404" x2="404" y1="0" y2="{height}" stroke="{RED}"/>'])


def curves(title: str, sizes: Sequence[int], lines: Mapping[str, Sequence[float]]) -> str:
    """Return how each thing changes as something grows, against what it was with the least of it, which is 1."""
    shares = {name: [value / (values[0] or 1) for value in values] for name, values in lines.items()}
    top = max(1.5, *(share for line in shares.values() for share in line)) * 1.05
    places = [LEFT + WIDTH * _place(size, sizes) for size in sizes]
    drawn = [f'<text x="{LEFT}" y="14" font-weight="bold">{title}</text>']
    for share in _marks(top):
        y = _y(share, top)
        drawn.append(f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y:.0f}" y2="{y:.0f}" stroke="#bbb"/>')
        drawn.append(f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end">{share:g}</text>')
    for size, x in zip(sizes, places, strict=True):
        drawn.append(f'<text x="{x:.0f}" y="{HEIGHT + 46}" text-anchor="middle">{size:,}</text>')
    for number, (name, line) in enumerate(shares.items()):
        color, dashed = COLORS[number % len(COLORS)], number % 2  # not told by the color alone
        points = " ".join(f"{x:.0f},{_y(share, top):.0f}" for x, share in zip(places, line, strict=True))
        style = f'stroke="{color}" stroke-width="2"' + ' stroke-dasharray="6 3"' * dashed
        drawn.append(f'<polyline points="{points}" fill="none" {style}/>')
        x, y = LEFT + WIDTH + 12, 48 + 18 * number
        drawn.append(f'<text x="{x}" y="{y}" fill="{color}">{name}{" (dashed)" * dashed}</text>')
    return _svg(HEIGHT + 56, drawn)


def _place(size: int, sizes: Sequence[int]) -> float:
    """Return where a size is between the first, 0, and the last, 1, on a scale of logarithms. A size of none, which has
    no place there, is a step before the next one.
    """
    first = sizes[0] or (sizes[1] ** 2 / sizes[2] if len(sizes) > 2 else 1)
    return math.log((size or first) / first) / (math.log(sizes[-1] / first) or 1)


def _marks(top: float) -> list[float]:
    step = next(step for step in (0.5, 1, 2, 5, 10, 20, 50, 100, 1000, 10_000, math.inf) if top / step <= 6)
    return [step * number for number in range(int(top / step) + 1)] if step < math.inf else [1]


def _y(share: float, top: float) -> float:
    return 28 + HEIGHT * (1 - share / top)


def _svg(height: int, drawn: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="680" height="{height}" font-family="sans-serif" '
        f'font-size="12"><rect width="680" height="{height}" fill="white"/>{"".join(drawn)}</svg>\n'
    )
