"""Tables, as all commands show them."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

out = Console(highlight=False, width=None if sys.stdout.isatty() else 1000)
"""Where tables go; a machine is one line where the output is read by a program."""


def table(*titles: str) -> Table:
    """Return an empty table as all commands show them."""
    return Table(*titles, box=None, pad_edge=False, header_style="bold")


def plain(text: str) -> str:
    """Return text for a cell in which no bracket is a style."""
    return text.replace("[", r"\[")
