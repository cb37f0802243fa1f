"""The pages in another language: none has a text that is not translated, and nothing but texts is another."""

from __future__ import annotations

import gettext
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from typing import Any

import pytest

from mac_actors.core.inputs import AddDetails, Lock, Oops
from mac_actors.core.state import Severity, Source
from mac_actors.fleet.people.logins import Role
from mac_actors.service import shop
from mac_actors.settings import Tokens
from mac_actors.settings.language import Language, language, languages
from tests.conftest import MakeServer
from tests.fakes import ANN, BOB, NOBODY, sample_machines, written
from tests.web.client import Running
from tests.web.pages.forms import BROWSER, TOKEN, post_form
from tests.web.pages.test_people import Person

DATA = re.compile(
    r"([A-Z][a-z]{2} )?\d+ [A-Z][a-z]{2}( \d{4})?|UTC|CET|MAC_ADMIN_TOKEN|machines\.json|Makerspace|CSV|dBm|min|QR|mill"
    r"|tube|saw|router|[shdAC]"
)
"""What people wrote, names and units: the same in all languages."""


class Marked(gettext.NullTranslations):
    """Marks each text that it was asked for."""

    def gettext(self, message: str) -> str:
        return f"⟦{message}⟧"

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return f"⟦{msgid1 if n == 1 else msgid2}⟧"


@pytest.fixture
def start(make_server: MakeServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[Language], Running]:
    def start(spoken: Language) -> Running:
        monkeypatch.setattr(shop, "language", lambda _: spoken)
        server = make_server(tokens=Tokens(admin=TOKEN), language=spoken.code)
        machines = sample_machines()
        machines["laser"] |= {
            "area": "AREA",
            "description": "ABOUT",
            "link": "https://example.org/",
            "trainers_or": ["tube"],
        }
        machines["metal-mill"] |= {"maintenance": [{"what": "OIL", "every_hours": 1}]}
        server.machines.write_text(json.dumps(machines), encoding="utf-8")
        assert server.post("/api/reload", token=TOKEN).status == 200
        for fob in (ANN, BOB, NOBODY, ""):
            server.report("metal-mill", fob)
        server.report("laser", BOB)
        server.report("router", "", firmware="FIRMWARE")
        now = datetime.now(UTC)
        server.fleet.ask("bandsaw", Oops(now, Source.SLACK, "ANN", "BROKEN"))
        server.fleet.ask("bandsaw", AddDetails(now, Source.BOARD, "ANN", "LOUD", severity=Severity.WITH_CARE))
        server.fleet.ask("router", Lock(now, Source.CLI, "GRACE", "BELT"))
        server.fleet.ask("laser", Lock(now, Source.BUTTON, "GRACE", "LATER", when_free=True))
        written(server.fleet)
        return server

    return start


def pages(server: Running) -> dict[str, str]:
    """Return all pages that people look at, as an admin, a trainer and a visitor see them."""
    admin = Person(server, Role.ADMIN, "MAX")
    account = server.fleet.configuration.directory.users[0].account_id
    machines = [f"/machines/{name}" for name in ("metal-mill", "bandsaw", "router", "laser")]
    paths = ["/", "/?kiosk=1", "/embed", "/shop", "/labels", "/people", "/people?q=a", f"/people/{account}", *machines]
    found = {f"admin {path}": admin.html(path) for path in paths}
    found |= {
        path: server.get(path, headers=BROWSER).body.decode()
        for path in ("/", "/login", *machines, "/machines/nothing", "/nothing", "/?q=zzz", "/machines/laser?before=1")
    }
    found["no form"] = post_form(server, "/board/machines/laser", BROWSER, action="oops").body.decode()
    found["wrong token"] = post_form(server, "/login", BROWSER, token="no").body.decode()
    ask = post_form(server, "/board/machines/laser", {**admin.headers}, csrf=admin.csrf, action="lock")
    found["asks for the reason"] = ask.body.decode()
    found["said"] = admin.done("/board/machines/laser", action="oops", reason="WHY")
    found["given"] = admin.done(f"/board/people/{account}", action="authorize", value="tube")
    return found


def bare(html: str) -> list[str]:
    """Return what a page says that has not been asked for in its language."""
    while (shorter := re.sub(r"⟦[^⟦⟧]*⟧", " ", html)) != html:
        html = shorter
    html = re.sub(
        r"(?s)<script.*?</script>|<svg.*?</svg>|<bdi.*?</bdi>|<time.*?</time>|<code.*?</code>|<option.*?</option>|<abbr.*?</abbr>",
        " ",
        html,
    )
    said = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', html) + re.split(r"<[^>]*>", html)
    words = (re.sub(r"&\w+;|&#\d+;", " ", text).strip() for text in said)
    return [text for text in words if [word for word in re.findall(r"[^\W\d_]+", text) if not word.isupper()]]


def test_no_page_has_a_text_that_is_in_no_catalogue(start: Callable[[Language], Running]) -> None:
    server = start(Language(catalogue=Marked()))
    configuration = server.fleet.configuration
    own = {text for one in configuration.machines.values() for text in (one.display_name, one.name)}
    own |= {text for one in configuration.directory.users for text in (one.full_name, one.email) if text}
    names = re.compile("|".join(re.escape(escape(text)) for text in sorted(own, key=len, reverse=True)))
    for name, html in pages(server).items():
        left = [text for text in bare(names.sub("", html)) if DATA.sub("", text).strip(" -.,·:()…0123456789%°")]
        assert not left, (name, left)


def test_a_page_that_has_a_bare_text_would_be_seen() -> None:
    assert bare('<p>⟦Free ⟦now⟧⟧</p><b title="Bare">1 h</b>Not translated') == ["Bare", "1 h", "Not translated"]


@pytest.mark.parametrize("code", [code for code in languages() if code != "en"])
def test_each_language_fills_in_every_page(start: Callable[[Language], Running], code: str) -> None:
    server = start(language(code))
    for name, html in pages(server).items():
        assert f'<html lang="{code}"' in html, name
        assert not re.search(r"\{\w", re.sub(r"(?s)<script.*?</script>", "", html)), name
    texts = re.search(r'<script type="application/json" id="texts">(.*?)</script>', server.get("/").body.decode())
    assert texts is not None
    assert len(json.loads(texts[1])) > 10
    assert json.loads(server.get("/app.webmanifest").body)["lang"] == code
    said: dict[str, Any] = server.report("router", "").json
    assert said["display"] == language(code).displays["Down for\nmaintenance"]
    assert (
        server.get("/api/machines/laser/events")
        .json["events"][0]["text"]
        .endswith("is locked out for maintenance: LATER.")
    )


def test_in_english_a_page_has_no_texts_for_its_scripts(start: Callable[[Language], Running]) -> None:
    server = start(Language())
    assert '<html lang="en"' in (html := server.get("/").body.decode())
    assert 'id="texts"' not in html
    assert "lang" not in json.loads(server.get("/app.webmanifest").body)
