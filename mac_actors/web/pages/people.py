"""``/people``: users found while one types, their pages, and what is changed of them there; for admins and trainers.

A whole number of a fob is in no address: pages and forms name it by :func:`~mac_actors.web.pages.person.ref_of`.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.fleet.people.permissions import allow_any
from mac_actors.web.access import Access, Caller, Viewer
from mac_actors.web.errors import RequestRefused, refusals_in_log
from mac_actors.web.limiter import JOURNAL
from mac_actors.web.pages.html import PAGE_HEADERS, fill, render, see_other, url
from mac_actors.web.pages.notes import Notes
from mac_actors.web.pages.person import Person, fobs_html, held_lately
from mac_actors.web.requests import looked_for, read_query

SHOWN = 20
"""Of the users that are found; who wants another one types more."""


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, notes: Notes) -> None:
    """Add the pages and what they call."""
    users = fleet.users

    def looking(path: str) -> tuple[Viewer, Caller]:
        """Return who looks, if they may; others are sent to the login."""
        viewer = access.viewer(bottle.request.environ)
        if viewer.caller is None and viewer.login == "in":
            raise RequestRefused(403, phrase("people are for admins and trainers, and you train nobody (any more)"))
        if viewer.caller is None:
            raise see_other(f"/login?next={quote(path, safe='')}")
        return viewer, viewer.caller

    def search(caller: Caller) -> dict[str, Any]:
        """Look for users as the query says, in what ``caller`` may see; for the templates."""
        query = read_query()
        words = looked_for("q")
        found = users.search(words, addresses=caller.admin) if words else []
        seen = held_lately(users, query.get("fob", ""))
        people, now = users.people.directory, datetime.now(UTC)
        return {
            "words": words,
            "found": found[:SHOWN],
            "number": len(found),
            "asked": query.get("fob", ""),
            "seen": seen,
            "owner": people.find(seen.code) if seen else None,
            "expired": lambda user: people.expired(user, now),
        }

    @app.get("/people", limit=JOURNAL)
    def page() -> bytes:
        path = bottle.request.path + (f"?{bottle.request.query_string}" if bottle.request.query_string else "")
        viewer, caller = looking(path)
        said = notes.take(bottle.request.query.get("said", ""))
        return render("people.tpl", viewer, said=said, fobs=fobs_html(users), **search(caller))

    @app.get("/board/people", limit=JOURNAL)
    def found() -> bytes:
        with refusals_in_log():
            caller = access.check_people(bottle.request.environ)
        allow_any(users, caller.account_id)
        for header, value in PAGE_HEADERS.items():
            bottle.response.set_header(header, value)
        return fill("found.tpl", admin=caller.admin, **search(caller)).encode("utf-8", "replace")

    @app.get("/board/fobs")
    def fobs() -> Any:
        with refusals_in_log():
            access.check_people(bottle.request.environ)
        html = fobs_html(users)
        since = hashlib.sha256(html.encode()).hexdigest()[:12]
        bottle.response.set_header("Cache-Control", "no-store")
        if bottle.request.query.get("since") == since:
            bottle.response.status = 204
            return b""
        return {"since": since, "html": html}

    @app.get("/people/<account:path>", limit=JOURNAL)
    def person(account: str) -> bytes:
        viewer, caller = looking(url("people", account))
        at = read_query().get("at", "")
        return render(
            "person.tpl",
            viewer,
            person=Person.of(fleet, caller, users.show(users.of_account(account)), at),
            admin=caller.admin,
            today=datetime.now().astimezone().date(),
            said=notes.take(bottle.request.query.get("said", "")),
        )
