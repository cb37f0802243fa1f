"""The status board at ``/``: its page, what has changed on it, and the orders that admins give from it.

Boards poll (docs/decisions/0010-boards-poll.rst): the script asks for changes once a second.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import threading
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import bottle

from mac_actors.core import wording
from mac_actors.core.inputs import Clear, Command, Lock, Oops
from mac_actors.core.state import Source
from mac_actors.core.transitions import Already
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.access import COOKIE, Access, Viewer
from mac_actors.web.api.request_models import AdminBody
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.pages.assets import fingerprint
from mac_actors.web.pages.html import render, see_other
from mac_actors.web.pages.tiles import ORDERS, STATES, Board, BoardView
from mac_actors.web.requests import parse_fields, read_form

_OFF = "its power goes off at once, and a running session ends."

_EFFECTS = {
    "oops": f"Marks the machine as broken: {_OFF}",
    "lock": f"For maintenance: {_OFF}",
    "clear": "Lifts oops and lock-out: the machine may be used again.",
}

_EVENTS: dict[str, type[Command]] = {"oops": Oops, "lock": Lock, "clear": Clear}

_VAIN = {
    "oops": ({Already.OOPSED}, "was oopsed already"),
    "lock": ({Already.LOCKED_OUT}, "was locked out already"),
    "clear": ({Already.NOT_OOPSED, Already.NOT_LOCKED_OUT}, "was neither oopsed nor locked out"),
}

NOT_DURABLE = "It is not on disk yet: the server's disk is slow. It counts, but a power cut now could undo it."


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the board's routes."""
    board = Board(fleet.snapshots)
    notes = _Notes()

    def on_wall() -> bool:
        return str(bottle.request.query.get("kiosk") or "0") != "0"

    def who() -> tuple[Viewer, str]:
        """Return who looks, and which kind of tiles they get."""
        if on_wall():
            return access.on_the_wall(), "kiosk"
        viewer = access.viewer(bottle.request.environ)
        return viewer, "admin" if viewer.admin else "plain"

    @app.get("/")
    def page() -> bytes:
        viewer, kind = who()
        look = board.look()
        query = bottle.request.query
        state = query.get("state", "")
        if viewer.lapsed:  # which the page says, once
            bottle.response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
        return render(
            "board.tpl",
            viewer,
            look=look,
            kind=kind,
            q=" ".join(query.getunicode("q", "").split()),
            state=state if state in STATES else "",
            orders=ORDERS,
            effects=_EFFECTS,
            states=STATES,
            stamp=_stamp(viewer, kind),
            cursor=_cursor(board, look),
            now=datetime.now(UTC),
            said=notes.take(query.get("said", "")),
        )

    @app.get("/board/changes")
    def changes() -> bytes:
        viewer, kind = who()
        look = board.look()
        query = bottle.request.query
        stamp, cursor = _stamp(viewer, kind), _cursor(board, look)
        bottle.response.set_header("Cache-Control", "no-store")
        same_page = query.get("page") == stamp
        if same_page and query.get("since") == cursor:
            bottle.response.status = 204
            return b""
        epoch, _, version = str(query.get("since", "")).partition("-")
        known = int(version[:18]) if same_page and epoch == board.epoch and version.isdecimal() else -1
        answer: dict[str, Any] = {
            "cursor": cursor,
            "page": stamp,
            "summary": look.summary,
            "counts": look.counts,
            "tiles": {t.content.name: t.html(kind, viewer.names) for t in look.tiles if t.version > known},
        }
        if look.ordered > known:
            answer["order"] = [tile.content.name for tile in look.tiles]
        bottle.response.content_type = "application/json"
        return json.dumps(answer, ensure_ascii=False).encode("utf-8", "replace")

    @app.post("/board/machines/<name:path>")
    def order(name: str) -> Any:
        form = read_form(bottle.request.environ)
        with refusals_in_log():
            viewer = access.check_form(bottle.request.environ, form.get("csrf", ""))
        name = fleet.find(name)
        action = form.get("action", "")
        if action not in ORDERS:
            raise RequestRefused(422, f"action: expected one of {', '.join(ORDERS)}")
        if "reason" not in form:  # the button of a tile, without the script that asks for the reason
            return render(
                "order.tpl",
                viewer,
                machine=fleet.snapshot(name),
                action=action,
                label=ORDERS[action],
                effect=_EFFECTS[action],
            )
        text, good = _carry_out(fleet, name, action, form["reason"], viewer.by)
        board.look_at_once()
        if "text/html" in bottle.request.headers.get("Accept", ""):
            return see_other(f"/?said={notes.keep(text)}")
        bottle.response.content_type = "application/json"
        return json.dumps({"said": text, "good": good}).encode()


def _stamp(viewer: Viewer, kind: str) -> str:
    """Return what tells a page that it has to be loaded anew: the server is another version, or the viewer another."""
    made_of = (VERSION, fingerprint("board.js"), fingerprint("board.css"), kind, str(viewer.names), viewer.csrf)
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _cursor(board: Board, look: BoardView) -> str:
    return f"{board.epoch}-{look.version}"


def _carry_out(fleet: MachineFleet, name: str, action: str, reason: str, by: str | None) -> tuple[str, bool]:
    """Give the order; returns what came of it in words, and whether it is all as it was wished."""
    body = parse_fields(AdminBody, {"reason": reason, "by": by})
    event: Any = _EVENTS[action](datetime.now(UTC), Source.HTTP, body.by, body.reason)
    answer = fleet.ask(name, event)
    vain, words = _VAIN[action]
    if set(answer.already) >= vain:
        text = f"{fleet.snapshot(name).display_name} {words}: nothing was changed."
    else:
        text = " ".join(wording.full_text(outcome) for outcome in answer.outcomes)
    return (text, True) if answer.durable else (f"{text} {NOT_DURABLE}", False)


class _Notes:
    """What is to be said on the next page that a browser without the script is sent to. Each is said once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, str] = OrderedDict()

    def keep(self, text: str) -> str:
        key = secrets.token_urlsafe(8)
        with self._lock:
            self._kept[key] = text
            while len(self._kept) > 100:
                self._kept.popitem(last=False)
        return key

    def take(self, key: str) -> str | None:
        with self._lock:
            return self._kept.pop(key, None)
