"""The documentation, served by the server itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from mac_actors.web.pages import manual
from tests.web.client import Running
from tests.web.pages.test_history import page


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Documentation as Sphinx builds it, in a few files."""
    help_ = tmp_path / "help"
    (help_ / "_static").mkdir(parents=True)
    (help_ / "index.html").write_text("<h1>Docs</h1>")
    (help_ / "_static" / "x.css").write_text("p {}")
    (tmp_path / "secret").write_text("s3cret")
    (help_ / "link").symlink_to(tmp_path / "secret")
    monkeypatch.setattr(manual, "HELP", help_)
    return help_


def test_the_documentation_is_served_and_linked(built: Path, shared_server: Running) -> None:
    assert shared_server.get("/help").headers["Location"] == "help/"
    start = shared_server.get("/help/")
    assert (start.status, start.body) == (200, b"<h1>Docs</h1>")
    assert start.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'self'" in start.headers["Content-Security-Policy"]
    assert shared_server.get("/help/_static/x.css").headers["Content-Type"] == "text/css; charset=utf-8"
    assert '<a href="/help/">Help</a>' in page(shared_server, "/")


@pytest.mark.parametrize(
    "path", ["nothing.html", "_static", "../secret", "..%2Fsecret", "%2Fetc%2Fpasswd", "link", "a%00b", "a" * 300]
)
def test_nothing_beside_it_is_served(built: Path, shared_server: Running, path: str) -> None:
    reply = shared_server.get(f"/help/{path}")
    assert (reply.status, bool(reply.error)) == (404, True)


def test_without_it_the_page_says_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shared_server: Running
) -> None:
    monkeypatch.setattr(manual, "HELP", tmp_path)
    assert manual.ELSEWHERE in shared_server.get("/help/").error
    assert "/help/" not in page(shared_server, "/")
