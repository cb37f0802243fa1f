"""What docs/operations.rst says of a server that does not start, tried out: each message is there, and in the page."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.processes import ROOT, SAMPLES, ServerProcess, free_port, run

PAGE = " ".join((ROOT / "docs" / "operations.rst").read_text(encoding="utf-8").split())


@contextmanager
def _taken() -> Iterator[str]:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield str(other.getsockname()[1])


def _in_page(said: str) -> bool:
    """Whether the page has this message; an ellipsis in the page stands for what differs."""
    quoted = re.findall(r"``([^`]+)``", PAGE)
    patterns = [".*".join(re.escape(part) for part in quote.split("…")) for quote in quoted if " " in quote]
    return any(re.search(re.sub(r"\\ N$", r" \\d+", pattern), said) for pattern in patterns)


@pytest.mark.parametrize(
    ("variables", "status", "said"),
    [
        (
            {"USERS_CONFIG": "nowhere.json"},
            2,
            "there is no such file; MACHINES_CONFIG, USERS_CONFIG, SLACK_CONFIG and MAC_WEBHOOKS say where they are",
        ),
        ({"MAC_PORT": "http"}, 2, "MAC_PORT is 'http': allowed is"),
        ({"SLACK_APP_TOKEN": "xapp-1"}, 2, "SLACK_BOT_TOKEN is not set: Slack is on because SLACK_APP_TOKEN is set"),
        ({"MAC_TLS_CERT": "file", "MAC_TLS_KEY": "file"}, 2, "are not a PEM certificate and its key"),
        ({"MAC_HOST": "192.0.2.1"}, 1, "This computer has no such address"),
        ({"MACHINE_STATE_DIR": "garbage"}, 1, "cannot open the database: file is not a database"),
    ],
)
def test_a_server_that_does_not_start_says_what_the_page_explains(
    variables: dict[str, str], status: int, said: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("text")
    (tmp_path / "garbage").mkdir()
    (tmp_path / "garbage" / "mac.sqlite3").write_text("This is no database, but it is longer than a header.\n" * 20)
    done = run("serve", cwd=tmp_path, **{**SAMPLES, "MAC_PORT": str(free_port()), **variables})
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert _in_page(done.stderr), done.stderr


def test_a_second_server_says_what_the_page_explains(tmp_path: Path) -> None:
    with _taken() as port:
        done = run("serve", "--host", "127.0.0.1", cwd=tmp_path, **SAMPLES, MAC_PORT=port)
        assert done.returncode == 1
        assert "address already in use. Is another server running there?" in done.stderr
        assert _in_page(done.stderr)
    with ServerProcess(tmp_path) as server:
        done = run("serve", cwd=tmp_path, **SAMPLES, MAC_PORT=str(free_port()))
        assert done.returncode == 1
        assert f"in use by process {server.process.pid}" in done.stderr
        assert _in_page(done.stderr)


def test_what_the_page_does_not_have_is_noticed() -> None:
    assert not _in_page("cannot do something that nobody has heard of")
