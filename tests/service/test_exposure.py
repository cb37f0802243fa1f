"""What a start warns of: each once, and nothing where all is as it should be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mac_actors.service.exposure import exposures
from mac_actors.settings import Settings, Tokens
from tests.conftest import write_sample

LONG, OTHER = "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "correct-horse-battery"


def said(directory: Path, machines: str = "", keyed: str = "", **settings: Any) -> list[str]:
    sample = write_sample(directory)
    given = {"machines_config": sample.machines_config, "users_config": sample.users_config, "state_dir": directory}
    return list(exposures(Settings(**{**given, **settings}), machines.split(), keyed.split()))


@pytest.fixture(autouse=True)
def usual_rights(tmp_path: Path) -> None:
    write_sample(tmp_path)
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_a_server_for_this_computer_alone_needs_no_token(tmp_path: Path, host: str) -> None:
    assert said(tmp_path, host=host) == []


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "shop.local"])
def test_reports_without_a_token_from_the_network_are_said(tmp_path: Path, host: str) -> None:
    (only,) = said(tmp_path, host=host, port=81)
    assert only.startswith(f"MAC_READER_TOKEN is not set: whoever reaches {host} port 81 can report for any machine")
    assert said(tmp_path, host=host, tokens=Tokens(LONG, OTHER)) == []


@pytest.mark.parametrize(
    ("keyed", "which"),
    [("", "any machine"), ("gone", "any machine"), ("kiln", "the 1 machine of 2 whose readers have no key")],
)
def test_it_is_said_of_the_machines_alone_whose_readers_have_no_keys(tmp_path: Path, keyed: str, which: str) -> None:
    (only,) = said(tmp_path, "kiln mill", keyed, host="0.0.0.0")
    assert f" can report for {which}. Set it on the server" in only
    assert said(tmp_path, "kiln mill", "mill kiln gone", host="0.0.0.0") == []


@pytest.mark.parametrize(
    "token", ["a", "secret", "fifteen-letters", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "12121212121212121212"]
)
def test_a_token_that_is_easy_to_guess_is_said_and_not_shown(tmp_path: Path, token: str) -> None:
    (admin,) = said(tmp_path, tokens=Tokens(token, LONG))
    assert admin.startswith("MAC_ADMIN_TOKEN is easy to guess (")
    (reader,) = said(tmp_path, tokens=Tokens(LONG, token))
    assert reader.startswith("MAC_READER_TOKEN is easy to guess (")
    assert f" {token} " not in admin + reader


def test_one_token_for_both_is_said(tmp_path: Path) -> None:
    (only,) = said(tmp_path, tokens=Tokens(LONG, LONG))
    assert "whoever opens a reader has the admins' secret" in only


@pytest.mark.parametrize("name", ["machines.json", "users.json", "mac.sqlite3", "key.pem", "."])
def test_what_everybody_can_write_is_said(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    given: dict[str, Any] = {"host": "127.0.0.1", "tls_key": tmp_path / "key.pem"}
    path.chmod(0o775 if name == "." else 0o664)
    assert said(tmp_path, **given) == [], "the admins' group may"
    path.chmod(0o777 if name == "." else 0o666)
    (only,) = said(tmp_path, **given)
    assert f"chmod o-w {path}" in only
    if name == ".":
        path.chmod(0o1777)
        assert said(tmp_path, **given) == [], "as in /tmp, nobody can replace another's file"


def test_what_is_not_there_yet_is_not_said(tmp_path: Path) -> None:
    assert (
        list(exposures(Settings(host="127.0.0.1", state_dir=tmp_path / "none", users_config=tmp_path / "none"), [], []))
        == []
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("MAC_ENFORCE_EXPIRATON", "MAC_ENFORCE_EXPIRATION"),
        ("\ufeffMACHINES_CONFIG", "MACHINES_CONFIG"),
        ("mac_tz", "MAC_TZ"),
    ],
)
def test_a_variable_that_is_misspelt_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("SLACK_BOT_NAME", "of another program")
    (only,) = said(tmp_path, host="::1")
    assert only == f"the environment has {name!r}, which is no variable of this server: is {meant} meant?"
