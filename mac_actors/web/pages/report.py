"""*Report a problem*: everybody who stands at a machine can tell the admins what is wrong with it."""

from __future__ import annotations

import math

import bottle

from mac_actors.core.phrases import phrase
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.web.access import Access
from mac_actors.web.api.request_models import ProblemBody
from mac_actors.web.errors import RequestRefused, wants_page
from mac_actors.web.pages.html import language, see_other, url
from mac_actors.web.pages.notes import Notes
from mac_actors.web.requests import parse_fields, read_form
from mac_actors.web.tries import Tries

PER_ADDRESS, IN_ALL = 3, 20
"""Reports that are taken in a minute, from one address and from all together: each is a post in a channel."""

THANKS = phrase("Thank you: the admins are told.")


def routes(app: bottle.Bottle, fleet: MachineFleet, access: Access, notes: Notes) -> None:
    """Add the route."""
    tries = Tries(per_address=PER_ADDRESS, in_all=IN_ALL)

    @app.post("/board/report/<name:path>")
    def report(name: str) -> object:
        environ = bottle.request.environ
        access.check_origin(environ)
        form = read_form(environ)
        name = fleet.find(name)
        viewer = access.viewer(environ)
        problem = parse_fields(ProblemBody, {"text": form.get("text", ""), "by": viewer.by or form.get("by") or None})
        seconds = tries.wait(environ.get("REMOTE_ADDR", ""), right=False)
        if seconds is not None:
            raise RequestRefused(
                429, phrase("too many reports in a minute: try again in {seconds} s", seconds=math.ceil(seconds))
            )
        fleet.report_problem(name, problem.text, problem.by)
        if wants_page(environ):
            return see_other(f"{url('machines', name)}?said={notes.keep(language().say(THANKS))}")
        return {"said": language().say(THANKS), "good": True}
