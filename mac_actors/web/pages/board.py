"""The status board at ``/``: its page, what has changed on it, and the commands that admins give from it.

Boards poll (docs/decisions/0010-boards-poll.rst): the script asks for changes once a second.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import bottle

from mac_actors.core import wording
from mac_actors.core.inputs import COMMANDS
from mac_actors.core.text import one_line
from mac_actors.core.transitions import Already
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.access import Access, Viewer
from mac_actors.web.api.request_models import LockBody
from mac_actors.web.errors import RequestRefused, refusals_in_log, wants_page
from mac_actors.web.pages.assets import fingerprint
from mac_actors.web.pages.html import render, see_other
from mac_actors.web.pages.login import drop_login_cookie
from mac_actors.web.pages.tiles import BUTTONS, STATES, Board, BoardView
from mac_actors.web.requests import parse_fields, read_form

NOT_DURABLE = "It is not on disk yet: the server's disk is slow. It counts, but a power cut now could undo it."


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access) -> None:
    """Add the board's routes."""
    board = Board(fleet.snapshots)
    notes = _Notes()

    def who() -> tuple[Viewer, str]:
        """Return who looks, and which kind of tiles they get."""
        if str(bottle.request.query.get("kiosk") or "0") != "0":
            return access.on_the_wall(), "kiosk"
        viewer = access.viewer(bottle.request.environ)
        return viewer, "admin" if viewer.admin else "plain"

    @app.get("/")
    def page() -> bytes:
        viewer, kind = who()
        view = board.view()
        query = bottle.request.query
        state = query.get("state", "")
        if viewer.lapsed:  # which the page says, once
            drop_login_cookie()
        return render(
            "board.tpl",
            viewer,
            view=view,
            kind=kind,
            q=one_line(query.getunicode("q", "")),
            state=state if state in STATES else "",
            buttons=BUTTONS,
            states=STATES,
            stamp=_stamp(viewer, kind),
            cursor=_cursor(board, view),
            now=datetime.now().astimezone(),
            said=notes.take(query.get("said", "")),
        )

    @app.get("/board/changes")
    def changes() -> Any:
        viewer, kind = who()
        view = board.view()
        query = bottle.request.query
        stamp, cursor = _stamp(viewer, kind), _cursor(board, view)
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
            "summary": view.summary,
            "counts": view.counts,
            "tiles": {t.content.machine.name: t.html(kind, viewer.names) for t in view.tiles if t.version > known},
        }
        if view.ordered > known:
            answer["order"] = [tile.content.machine.name for tile in view.tiles]
        return answer

    @app.post("/board/machines/<name:path>")
    def command(name: str) -> Any:
        form = read_form(bottle.request.environ)
        with refusals_in_log():
            viewer = access.check_form(bottle.request.environ, form.get("csrf", ""))
        name = fleet.find(name)
        action = form.get("action", "")
        if action not in BUTTONS:
            raise RequestRefused(422, f"action: expected one of {', '.join(BUTTONS)}")
        if "reason" not in form:  # the button of a tile, without the script that asks for the reason
            return render("command.tpl", viewer, machine=fleet.snapshot(name), action=action, button=BUTTONS[action])
        text, good = _carry_out(fleet, name, action, form, viewer.by)
        board.refresh()
        if wants_page(bottle.request.environ):
            return see_other(f"/?said={notes.keep(text)}")
        return {"said": text, "good": good}


def _stamp(viewer: Viewer, kind: str) -> str:
    """Return what is another one for another version of the server, another viewer, or after a change of the clocks: a
    page then loads itself anew.
    """
    clocks = datetime.now().astimezone().isoformat()[-6:]
    made_of = (VERSION, fingerprint("board.js"), fingerprint("board.css"), kind, str(viewer.names), viewer.csrf, clocks)
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _cursor(board: Board, view: BoardView) -> str:
    return f"{board.epoch}-{view.version}"


def _carry_out(
    fleet: MachineFleet, name: str, action: str, form: Mapping[str, str], by: str | None
) -> tuple[str, bool]:
    """Carry the command out; returns what came of it in words, and whether it is all as it was wished."""
    body = parse_fields(LockBody, {"reason": form["reason"], "by": by, "when": form.get("when")})
    answer = fleet.ask(name, body.command(COMMANDS[action]))
    text = " ".join(wording.full_text(outcome) for outcome in answer.outcomes)
    if not answer.outcomes:
        in_vain = "was to be locked out already" if Already.LOCK_PENDING in answer.already else BUTTONS[action].in_vain
        text = f"{fleet.snapshot(name).display_name} {in_vain}: nothing was changed."
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
