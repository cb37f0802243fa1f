"""``/labels``: sheets of the machines' names with QR codes to their pages, for printers."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from itertools import islice
from urllib.parse import urlsplit

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.core.snapshot import Snapshot
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings.variables import server_address
from mac_actors.web.access import Access
from mac_actors.web.errors import RequestRefused
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.pages.html import render, url
from mac_actors.web.pages.tiles import Filter, TileContent
from mac_actors.web.requests import LONGEST, looked_for, read_query


@dataclass(frozen=True, slots=True)
class Sheet:
    """A size of labels; static/labels.css has its measures."""

    title: str
    labels: int
    """On a sheet."""


SHEETS = {
    "a4-21": Sheet(phrase("A4, 21 labels of 63.5 × 38.1 mm (Avery L7160)"), 21),
    "a4-14": Sheet(phrase("A4, 14 labels of 99.1 × 38.1 mm (Avery L7163)"), 14),
    "a4-8": Sheet(phrase("A4, 8 labels of 99.1 × 67.7 mm (Avery L7165)"), 8),
    "letter-30": Sheet(phrase('Letter, 30 labels of 2⅝ × 1" (Avery 5160)'), 30),
    "letter-10": Sheet(phrase('Letter, 10 labels of 4 × 2" (Avery 5163)'), 10),
}


@dataclass(frozen=True, slots=True)
class Label:
    """What is on one label: the machine, the address of its page, and that as a QR code (SVG)."""

    machine: Snapshot
    address: str
    code: str


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the page."""

    @app.get("/labels", limit=JOURNAL)
    def labels() -> bytes:
        query = read_query()
        sheet, base = query.get("sheet", "a4-21"), _base(query.get("base", "").strip())
        if sheet not in SHEETS:
            raise RequestRefused(422, f"sheet: expected one of {', '.join(SHEETS)}")
        wanted = Filter(words=looked_for("q"), area=looked_for("area"))
        everything = fleet.snapshots()
        machines = [machine for machine in everything if wanted.fits(TileContent.of(machine))]
        made = iter([label(machine, base) for machine in machines])
        return render(
            "labels.tpl",
            access.viewer(bottle.request.environ),
            pages=[*iter(lambda: [*islice(made, SHEETS[sheet].labels)], [])],
            sheets=SHEETS,
            sheet=sheet,
            base=base,
            here_alone=is_here_alone(base),
            wanted=wanted,
            areas=sorted({machine.area for machine in everything if machine.area}, key=str.casefold),
        )


def label(machine: Snapshot, base: str) -> Label:
    """Make the label of a machine whose page is below the address ``base``."""
    address = base + url("machines", machine.name)
    import segno  # whoever prints no labels need not have it in memory

    code = segno.make_qr(address, error="m").svg_inline(border=2, omitsize=True)
    return Label(machine, address, code)


def is_here_alone(base: str) -> bool:
    """Whether an address leads to the server from the server's own computer alone."""
    host = urlsplit(base).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _base(given: str) -> str:
    """Return the address before the paths of the pages: the one that is given, or that the browser has asked."""
    if not given:
        parts = bottle.request.urlparts
        given = f"{parts.scheme}://{parts.netloc}"
    if len(given) > LONGEST:  # no QR code has room for it
        raise RequestRefused(422, f"base: expected at most {LONGEST} characters")
    try:
        return server_address(given).rstrip("/")
    except ValueError as error:
        raise RequestRefused(422, f"base: {error}") from None
