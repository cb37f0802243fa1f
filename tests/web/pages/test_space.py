"""What the space calls itself, and what it shows in other sites' pages."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mac_actors.errors import ConfigError
from mac_actors.settings import from_environment
from mac_actors.settings.space import LOGO_BYTES, Logo
from mac_actors.web.pages.assets import SAFE_HEADERS
from tests.conftest import MakeServer
from tests.fakes import ANN, wait_until
from tests.web.client import Running
from tests.web.pages.test_history import page

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
OTHER = "https://example.org"
OWN: dict[str, Any] = {
    "space": "Werkraum",
    "logo": "https://example.org/logo.png",
    "url": "https://example.org",
    "contact": {"email": "info@example.org"},
    "location": {"address": "Main Street 1", "lat": 50.1, "lon": 8.6},
    "api_compatibility": ["14"],
    "sensors": {"people_now_present": [{"value": 3}]},
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    logo, space = tmp_path / "logo.svg", tmp_path / "space.json"
    logo.write_text(SVG)
    space.write_text(json.dumps(OWN))
    return {"MAC_SPACE_LOGO": str(logo), "MAC_SPACEAPI": str(space)}


@pytest.fixture
def named(make_server: MakeServer, files: dict[str, str]) -> Running:
    environ = {"MAC_SPACE_NAME": "Ä <b>Space</b>", "MAC_EMBED_ORIGINS": f"{OTHER}, http://b.example:8080", **files}
    return make_server(space=from_environment(environ).space)


def test_name_and_logo_are_on_every_page(named: Running) -> None:
    for path in ("/", "/?kiosk=1", "/shop", "/machines/laser", "/login", "/docs"):
        html = page(named, path)
        assert "Ä &lt;b&gt;Space&lt;/b&gt;" in html, path
    assert '<img class="logo" src="/logo?v=' in page(named, "/")
    assert "Ä &lt;b&gt;Space&lt;/b&gt;</p>" in page(named, "/labels")


def test_a_script_in_a_logo_can_do_nothing(named: Running) -> None:
    reply = named.get("/logo")
    assert (reply.headers["Content-Type"], reply.body.decode()) == ("image/svg+xml", SVG)
    assert reply.headers["Content-Security-Policy"] == "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    assert reply.headers["X-Content-Type-Options"] == "nosniff"


def test_the_manifest_has_icons_that_are_there(named: Running, shared_server: Running) -> None:
    for server, name, count in ((named, "Ä <b>Space</b>", 3), (shared_server, "Makerspace", 2)):
        reply = server.get("/app.webmanifest")
        assert reply.headers["Content-Type"] == "application/manifest+json"
        manifest = json.loads(reply.body)
        assert (manifest["name"], manifest["start_url"], manifest["display"]) == (name, "/", "standalone")
        assert len(manifest["icons"]) == count
        for icon in manifest["icons"]:
            assert server.get(icon["src"]).headers["Content-Type"].split(";")[0] == icon["type"]
    assert shared_server.get("/logo").status == 404
    assert 'href="/app.webmanifest"' in page(shared_server, "/")


def test_the_title_counts_what_is_oopsed(server: Running) -> None:
    assert "<title>Machines</title>" in page(server, "/")
    server.post("/api/machine/oops/laser")
    server.post("/api/machine/oops/router")
    wait_until(lambda: "<title>(2 oopsed) Machines</title>" in page(server, "/"))


# --- within other sites' pages -----------------------------------------------------------------------


def test_other_sites_that_are_allowed_may_show_tiles_and_nothing_else(named: Running, shared_server: Running) -> None:
    named.outputs("laser", ANN)
    reply = named.get("/embed?machine=LASER", headers={"Accept": "text/html"})
    assert f"frame-ancestors 'self' {OTHER} http://b.example:8080;" in reply.headers["Content-Security-Policy"]
    html = reply.body.decode()
    assert [html.count(f'<li data-name="{name}">') for name in ("laser", "router")] == [1, 0]
    assert "Ann" not in html
    assert "<button" not in html
    for path in ("/", "/login", "/machines/laser", "/shop"):
        assert named.get(path).headers["Content-Security-Policy"] == SAFE_HEADERS["Content-Security-Policy"]
    assert "frame-ancestors 'self';" in shared_server.get("/embed").headers["Content-Security-Policy"]
    assert shared_server.get("/embed?machine=nope").status == 404


@pytest.mark.parametrize("path", ["/api/machines", "/api/machines/laser", "/api/events", "/api/usage"])
def test_other_sites_that_are_allowed_may_read_what_is_public(named: Running, path: str) -> None:
    allowed = named.get(path, headers={"Origin": OTHER})
    assert (allowed.headers["Access-Control-Allow-Origin"], allowed.headers["Vary"]) == (OTHER, "Origin")
    assert allowed.headers["Access-Control-Allow-Credentials"] is None
    for origin in ("https://evil.example", "null", f"{OTHER}.evil.example", ""):
        assert named.get(path, headers={"Origin": origin}).headers["Access-Control-Allow-Origin"] is None


def test_nobody_elsewhere_may_read_unless_it_is_set(shared_server: Running, named: Running) -> None:
    reply = shared_server.get("/api/machines", headers={"Origin": OTHER})
    assert reply.headers["Access-Control-Allow-Origin"] is None
    order = named.post("/api/machine/oops/laser", headers={"Origin": OTHER})
    assert (order.status, order.headers["Access-Control-Allow-Origin"]) == (403, None)


def test_the_space_tells_of_itself_with_its_machines(named: Running, shared_server: Running) -> None:
    reply = named.get("/spaceapi.json")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    told = reply.json
    assert told["api_compatibility"] == ["14", "15"]
    assert {key: told[key] for key in ("space", "logo", "url", "contact", "location")} == {
        key: OWN[key] for key in ("space", "logo", "url", "contact", "location")
    }
    assert told["sensors"]["people_now_present"] == [{"value": 3}]
    assert [one["status"] for one in told["sensors"]["ext_machines"]] == ["idle"] * 5
    assert shared_server.get("/spaceapi.json").status == 404


# --- the variables -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variable", "content", "said"),
    [
        ("MAC_SPACE_NAME", "x" * 61, "60 characters"),
        ("MAC_SPACE_NAME", "a\u202eb", "people can read"),
        ("MAC_SPACE_LOGO", b"\x89PNG\r\n\x1a\n" + b"\0" * 10_000_000, f"up to {LOGO_BYTES // 1000} kB"),
        ("MAC_SPACE_LOGO", b"<html>", "PNG, JPEG, WebP or SVG"),
        ("MAC_SPACE_LOGO", None, "that the server can read"),
        ("MAC_EMBED_ORIGINS", "https://example.org/page", "without a path"),
        ("MAC_EMBED_ORIGINS", "https://a.example; script-src *", "without a path"),
        ("MAC_EMBED_ORIGINS", "*", "without a path"),
        ("MAC_SPACEAPI", b"{", "JSON"),
        ("MAC_SPACEAPI", b"\xff\xfe", "JSON"),
        ("MAC_SPACEAPI", b"[]", "it lacks space (text), logo (text), url (text), contact (object)"),
        ("MAC_SPACEAPI", json.dumps(OWN | {"sensors": []}).encode(), "sensors"),
    ],
)
def test_a_wrong_value_is_said_at_the_start(
    tmp_path: Path, variable: str, content: str | bytes | None, said: str
) -> None:
    path = tmp_path / "file"
    if isinstance(content, bytes):
        path.write_bytes(content)
    value = content if isinstance(content, str) else str(path)
    with pytest.raises(ConfigError) as error:
        from_environment({variable: value})
    (line,) = error.value.problems
    assert line.startswith(variable)
    assert said in line


@pytest.mark.parametrize(
    ("logo", "sizes"),
    [
        (Logo(b"<svg", "image/svg+xml"), "any"),
        (Logo(b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (256).to_bytes(4, "big") * 2, "image/png"), "256x256"),
        (Logo(b"\x89PNG\r\n\x1a\n" + b"\0" * 8 + (32).to_bytes(4, "big") * 2, "image/png"), ""),
        (Logo(b"\xff\xd8\xff", "image/jpeg"), ""),
    ],
)
def test_a_square_logo_is_an_icon(logo: Logo, sizes: str) -> None:
    assert logo.sizes == sizes
