"""Logging in and out."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from mac_actors.settings import Tokens
from mac_actors.web.access import Access
from mac_actors.web.errors import RequestRefused
from tests.web.client import Running
from tests.web.pages.forms import BROWSER, TOKEN, Admin, post_form


def test_the_cookie_holds_no_token_and_no_script_or_other_site_gets_it(guarded: Running) -> None:
    cookie = Admin(guarded).cookie
    assert TOKEN not in cookie
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=strict", "path=/", "max-age=34560000"} <= attributes
    assert "secure" not in attributes
    behind_proxy = post_form(guarded, "/login", {"X-Forwarded-Proto": "https"}, token=TOKEN)
    assert "; secure" in behind_proxy.headers["Set-Cookie"].lower()


def test_a_wrong_token_is_refused_said_counted_and_after_five_not_even_looked_at(guarded: Running) -> None:
    for _ in range(5):
        reply = post_form(guarded, "/login", BROWSER, token="wr0ng", by="<Ann>")
        assert (reply.status, reply.headers["Set-Cookie"]) == (401, None)
        assert b"This is not the admin token" in reply.body
        assert b'value="&lt;Ann&gt;"' in reply.body
        assert b"wr0ng" not in reply.body
    late = post_form(guarded, "/login", BROWSER, token=TOKEN)
    assert late.status == 429
    assert 0 < int(late.headers["Retry-After"]) <= 60
    assert b"Too many wrong tokens: try again in" in late.body
    assert guarded.service.shop.app.refusals.so_far() == {"401": 5, "429": 1}
    assert guarded.post("/api/machine/oops/laser", token="wr0ng").status == 401
    assert guarded.post("/api/machine/oops/laser", token=TOKEN).status == 200


@pytest.mark.parametrize(
    ("wish", "leads_to"),
    [
        ("/machines/laser?x=1", "/machines/laser?x=1"),
        ("/machines/Größe 100%", "/"),
        ("/machines/Größe", "/machines/Gr%C3%B6%C3%9Fe"),
        ("/machines/Gr%C3%B6%C3%9Fe", "/machines/Gr%C3%B6%C3%9Fe"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
        ("https://evil.example/", "/"),
        ("/a\r\nSet-Cookie: x=y", "/"),
        ("", "/"),
    ],
)
def test_a_login_leads_to_nowhere_else(guarded: Running, wish: str, leads_to: str) -> None:
    reply = post_form(guarded, "/login", token=TOKEN, next=wish)
    assert (reply.status, reply.headers["Location"]) == (303, leads_to)
    assert len(reply.headers.get_all("Set-Cookie") or []) == 1


def test_the_form_of_a_login_holds_the_address_as_it_was_given(guarded: Running) -> None:
    assert b'name="next" value="/machines/\xc3\xa4"' in guarded.get("/login?next=/machines/%C3%A4").body
    assert guarded.get("/login?next=%FF").status == 422


def test_a_login_from_a_page_of_another_origin_is_refused(guarded: Running) -> None:
    reply = post_form(guarded, "/login", {"Origin": "http://evil.example"}, token=TOKEN)
    assert (reply.status, reply.headers["Set-Cookie"]) == (403, None)


def test_a_name_that_is_too_long_is_refused(guarded: Running) -> None:
    reply = post_form(guarded, "/login", BROWSER, token=TOKEN, by="x" * 300)
    assert (reply.status, reply.headers["Set-Cookie"]) == (422, None)
    assert b"200" in reply.body


@pytest.mark.parametrize("body", [b"\xff\xfe", b"nonsense", b"&".join(b"a=%d" % n for n in range(50)), b"a=%FF"])
def test_what_is_no_form_is_a_400(guarded: Running, body: bytes) -> None:
    assert guarded.post("/login", body).status == 400


def test_an_empty_form_is_a_wrong_token(guarded: Running) -> None:
    assert guarded.post("/login", b"").status == 401


def test_whoever_is_logged_in_needs_no_form(guarded: Running) -> None:
    admin = Admin(guarded)
    reply = guarded.get("/login?next=/shop", headers=admin.headers)
    assert (reply.status, reply.headers["Location"]) == (303, "/shop")


def test_logging_out_ends_the_login_everywhere(guarded: Running) -> None:
    admin = Admin(guarded)
    refused = post_form(guarded, "/logout", admin.headers, csrf="nonsense")
    assert refused.status == 403
    assert "Log out" in admin.page()
    reply = post_form(guarded, "/logout", admin.headers, csrf=admin.csrf)
    assert (reply.status, reply.headers["Location"]) == (303, "/")
    assert 'mac_admin=""' in reply.headers["Set-Cookie"]
    page = guarded.get("/", headers=admin.headers)
    assert b"You are logged out" in page.body
    assert 'mac_admin=""' in page.headers["Set-Cookie"]
    assert post_form(guarded, "/logout").status == 303


def test_a_page_of_another_origin_logs_nobody_out(guarded: Running) -> None:
    # Strict as the cookie is, it does not come along; so whoever asks looks like one who is not logged in.
    reply = post_form(guarded, "/logout", {"Origin": "http://evil.example"})
    assert reply.status == 403
    assert "Set-Cookie" not in reply.headers


def test_without_a_token_nobody_logs_in_from_elsewhere(server: Running) -> None:
    proxied = {"X-Forwarded-For": "10.0.0.1", **BROWSER}
    page = server.get("/login", headers=proxied).body.decode()
    assert "MAC_ADMIN_TOKEN</code> is not set" in page
    assert "<form" not in page
    assert "<button form=" not in server.get("/", headers=proxied).body.decode()
    reply = post_form(server, "/board/machines/laser", proxied, action="oops", reason="")
    assert reply.status == 403
    assert b"MAC_ADMIN_TOKEN" in reply.body
    assert post_form(server, "/login", token="").status == 401
    assert "You need no login" in server.get("/login", headers=BROWSER).body.decode()


def local(host: str, address: str = "127.0.0.1", **more: str) -> dict[str, Any]:
    return {"REMOTE_ADDR": address, "HTTP_HOST": host, **more}


@pytest.mark.parametrize(
    ("environ", "login"),
    [
        (local("127.0.0.1:5000"), "local"),
        (local("localhost"), "local"),
        (local("[::1]:5000", "::1"), "local"),
        (local("evil.example:5000"), "off"),  # a name that was made to point here
        (local("[::1"), "off"),
        (local(""), "off"),
        (local("localhost", "10.0.0.7"), "off"),
        (local("localhost", HTTP_X_FORWARDED_FOR="10.0.0.7"), "off"),
    ],
)
def test_without_a_token_only_a_browser_on_the_server_itself_is_an_admin(environ: dict[str, Any], login: str) -> None:
    viewer = Access(Tokens()).viewer(environ)
    assert (viewer.login, viewer.admin, viewer.names) == (login, login == "local", False)


@pytest.mark.parametrize(
    ("environ", "may"),
    [
        (local("127.0.0.1:5000"), True),
        (local("localhost"), True),
        (local(f"{socket.gethostname().upper()}:5000"), True),
        ({"REMOTE_ADDR": "127.0.0.1"}, True),
        (local("evil.example:5000"), False),  # a name that was made to point here
        (local(""), True),
        (local("mac:5000"), True),  # nobody on the internet has a name without a dot
        (local("localhost", "10.0.0.7"), False),
    ],
)
def test_without_a_token_what_is_for_admins_is_told_to_this_computer_under_its_own_names_alone(
    environ: dict[str, Any], may: bool
) -> None:
    access = Access(Tokens())
    for check in (access.check_admin, access.check_people):
        if may:
            assert check({"REQUEST_METHOD": "GET", **environ}).admin
        else:
            with pytest.raises(RequestRefused, match="from this computer alone, at localhost"):
                check({"REQUEST_METHOD": "GET", **environ})
