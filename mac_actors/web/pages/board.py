"""The status board at ``/``: its page, what has changed on it, and the commands that admins give from it.

Boards poll (docs/decisions/0010-boards-poll.rst): the script asks for changes once a second.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import bottle

from mac_actors import clock
from mac_actors.core import wording
from mac_actors.core.decision import Already
from mac_actors.core.inputs import COMMANDS
from mac_actors.core.phrases import phrase
from mac_actors.core.state import Source
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.version import VERSION
from mac_actors.web.access import Access, Viewer
from mac_actors.web.api.request_models import LockBody
from mac_actors.web.errors import RequestRefused, refusals_in_log, wants_page
from mac_actors.web.pages.assets import fingerprint
from mac_actors.web.pages.html import language, render, see_other
from mac_actors.web.pages.login import drop_login_cookie, own_path
from mac_actors.web.pages.notes import Notes
from mac_actors.web.pages.person import fobs_html
from mac_actors.web.pages.tiles import BUTTONS, DONE, STATES, Board, Filter
from mac_actors.web.requests import looked_for, number, parse_fields, read_form

NOT_DURABLE = phrase("It is not on disk yet: the server's disk is slow. It counts, but a power cut now could undo it.")


LOCK_PENDING = phrase("{machine} was to be locked out already: nothing was changed.")

SET_SINCE = phrase("{machine} was oopsed or locked out since: nothing was changed. Look at it, then try again.")

COMMAND_SECONDS = 8.0
"""A command of a page that comes later is not carried out: at 10 s its browser says that there was no answer. The
difference is for the browser's idea of the time.
"""


_IN_VAIN = {Already.LOCK_PENDING: LOCK_PENDING, Already.SET_SINCE: SET_SINCE}


def live_board(fleet: MachineFleet) -> Board:
    """Return the view of the fleet that all open pages share."""

    def second(machine: str) -> str | None:
        config = fleet.configuration.machines.get(machine)
        return config.second_relay.alias if config and config.second_relay else None

    return Board(fleet.snapshots, second=second)


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, board: Board, notes: Notes) -> None:
    """Add the board's routes."""

    def who() -> tuple[Viewer, str]:
        """Return who looks, and which kind of tiles they get."""
        if str(bottle.request.query.get("kiosk") or "0") != "0":
            return access.on_the_wall(), "kiosk"
        viewer = access.viewer(bottle.request.environ)
        if "machine" in bottle.request.query:
            return viewer, page_kind(viewer)
        return viewer, "admin" if viewer.admin else "plain"

    @app.get("/")
    def page() -> bytes:
        viewer, kind = who()
        view = board.view()
        wanted = which()
        if viewer.lapsed:  # which the page says, once
            drop_login_cookie()
        return render(
            "board.tpl",
            viewer,
            view=view,
            shown=view.shown(wanted),
            wanted=wanted,
            kind=kind,
            buttons=BUTTONS,
            states=STATES,
            stamp=stamp(viewer, kind),
            said=notes.take(bottle.request.query.get("said", "")),
            fobs=fobs_html(fleet.users) if viewer.caller else "",
        )

    @app.get("/board/changes")
    def changes() -> Any:
        viewer, kind = who()
        view = board.view()
        query = bottle.request.query
        page, cursor = stamp(viewer, kind), view.cursor
        only = query.getunicode("machine")
        if only is not None:
            view = view.only(fleet.find(only))
        bottle.response.set_header("Cache-Control", "no-store")
        same_page = query.get("page") == page
        if same_page and query.get("since") == cursor:
            bottle.response.status = 204
            return b""
        epoch, _, version = str(query.get("since", "")).partition("-")
        known = int(version[:18]) if same_page and epoch == board.epoch and version.isdecimal() else -1
        answer: dict[str, Any] = {
            "cursor": cursor,
            "page": page,
            "title": view.title,
            "summary": (view.shown(which()) if kind == "kiosk" else view).summary,
            "counts": view.counts,
            "tiles": {t.content.machine.name: t.html(kind, viewer.names) for t in view.tiles if t.version > known},
        }
        if view.ordered > known:
            answer["order"] = view.order(kind)
        return answer

    def which() -> Filter:
        words, area, state = map(looked_for, ("q", "area", "state"))
        return Filter(words, state if state in STATES else "", area)

    @app.post("/board/machines/<name:path>")
    def command(name: str) -> Any:
        form = read_form(bottle.request.environ)
        with refusals_in_log():
            viewer = access.check_form(bottle.request.environ, form.get("csrf", ""))
        name = fleet.find(name)
        action = form.get("action", "")
        if action not in {*BUTTONS, "done"}:
            raise RequestRefused(422, f"action: expected one of {', '.join(BUTTONS)}")
        back = own_path(form.get("back", "/"))
        if "reason" not in form:  # the button of a tile, without the script that asks for the reason
            return render(
                "command.tpl",
                viewer,
                machine=fleet.snapshot(name),
                action=action,
                button=BUTTONS.get(action, DONE),
                back=back,
            )
        text, good = _carry_out(fleet, name, action, form, viewer.by)
        board.refresh()
        if wants_page(bottle.request.environ):
            return see_other(f"{back}?said={notes.keep(text)}")
        return {"said": text, "good": good}


def page_kind(viewer: Viewer) -> str:
    """Return which kind of tile a machine's own page shows to this viewer."""
    return "page-admin" if viewer.admin else "page"


def stamp(viewer: Viewer, kind: str) -> str:
    """Return what is another one for another version of the server, another viewer, or after a change of the clocks: a
    page then loads itself anew.
    """
    clocks = datetime.now().astimezone().isoformat()[-6:]
    made_of = (
        VERSION,
        language().code,
        fingerprint("board.js"),
        fingerprint("board.css"),
        kind,
        str(viewer.names),
        viewer.csrf,
        clocks,
    )
    return hashlib.sha256("\n".join(made_of).encode()).hexdigest()[:12]


def _carry_out(
    fleet: MachineFleet, name: str, action: str, form: Mapping[str, str], by: str | None
) -> tuple[str, bool]:
    """Carry the command out; returns what came of it in words, and whether it is all as it was wished."""
    body = parse_fields(LockBody, {"reason": form["reason"], "by": by, "when": form.get("when")})
    command = replace(body.command(COMMANDS[action]), source=Source.BOARD)
    if (waited := _waited(form.get("sent"))) is not None:
        # What was set since is not lifted: whoever pressed the button did not see it.
        given, until = command.at - timedelta(seconds=waited), clock.seconds() + COMMAND_SECONDS - waited
        command = replace(command, given=given, until=until)
    answer = fleet.ask(name, command)
    say = language().say
    text = " ".join(say(wording.full_text(outcome)) for outcome in answer.outcomes)
    if not answer.outcomes:
        in_vain = next((_IN_VAIN[one] for one in answer.already if one in _IN_VAIN), BUTTONS.get(action, DONE).in_vain)
        return say(in_vain.template, machine=fleet.snapshot(name).display_name), False
    return (text, True) if answer.durable else (f"{text} {say(NOT_DURABLE)}", False)


def _waited(sent: str | None) -> float | None:
    """Return for how many seconds a command was under way that was sent then (milliseconds since 1970, by the server's
    clock as the page knows it); ``None``: a browser without the script does not say.
    """
    milliseconds = number("sent", sent)
    if milliseconds is None:
        return None
    return max(0.0, time.time() - milliseconds / 1000)
