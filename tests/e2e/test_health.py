"""``mac-actors health``, by its exit status and its words; and commands that find a server with HTTPS by themselves."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import MakeServer
from tests.e2e.processes import ServerProcess, free_port, run
from tests.settings.test_environment import SLACK

NOBODY_THERE = "is the server running there? --url (MAC_URL) says where it is\n"


def test_a_server_that_is_well_is_said_to_be(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        done = run("health", "--url", server.url, cwd=tmp_path)
        assert (done.returncode, done.stdout, done.stderr) == (0, "The server is well.\n", "")
        done = run("health", "--alive", cwd=tmp_path, MAC_PORT=str(server.port))
        assert (done.returncode, done.stdout, done.stderr) == (0, "The server answers.\n", "")


@pytest.mark.parametrize("options", [[], ["--alive"]])
def test_a_server_that_is_not_there_is_a_failure(options: list[str], tmp_path: Path) -> None:
    done = run("health", *options, cwd=tmp_path, MAC_PORT=str(free_port()))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith(NOBODY_THERE)


def test_what_keeps_it_from_serving_is_said_and_a_failure_though_it_is_alive(
    make_server: MakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    running = make_server()
    monkeypatch.setattr(running.fleet, "health", lambda: {"store": "the disk has not answered for 7 s"})
    done = run("health", cwd=tmp_path, MAC_PORT=str(running.port))
    assert (done.returncode, done.stdout) == (1, "store: the disk has not answered for 7 s\n")
    assert run("health", "--alive", cwd=tmp_path, MAC_PORT=str(running.port)).returncode == 0


def test_troubles_of_slack_are_said_but_are_no_failure(tmp_path: Path) -> None:
    nowhere = {"SLACK_API_URL": f"http://127.0.0.1:{free_port()}/api/"}
    with ServerProcess(tmp_path, **SLACK, **nowhere) as server:
        done = run("health", "--url", server.url, cwd=tmp_path)
        assert done.returncode == 0
        assert done.stdout.startswith("slack: ")
        assert done.stdout.endswith("The server is well.\n")


def test_what_is_no_server_of_ours_is_said(tmp_path: Path) -> None:
    with ServerProcess(tmp_path) as server:
        done = run("health", "--url", f"{server.url}/openapi.json?", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (1, "")


def test_the_commands_find_a_server_with_https_on_this_computer_and_trust_its_certificate_alone(tmp_path: Path) -> None:
    for name in ("own", "foreign"):
        command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=workshop.example.org"
        files = ["-keyout", f"{name}.key", "-out", f"{name}.crt"]
        subprocess.run([*command.split(), *files], cwd=tmp_path, check=True, capture_output=True)
    with ServerProcess(tmp_path, MAC_TLS_CERT="own.crt", MAC_TLS_KEY="own.key") as server:
        port = str(server.port)
        assert run("health", cwd=tmp_path, MAC_PORT=port, MAC_TLS_CERT="own.crt").stdout == "The server is well.\n"
        assert run("lock", "metal-mill", cwd=tmp_path, MAC_PORT=port, MAC_TLS_CERT="own.crt").returncode == 0
        done = run("health", cwd=tmp_path, MAC_PORT=port, MAC_TLS_CERT="foreign.crt")
        assert (done.returncode, done.stdout) == (1, "")
        assert "certificate" in done.stderr
        done = run("health", cwd=tmp_path, MAC_PORT=port, MAC_TLS_CERT="own.key")
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert done.stderr.startswith("MAC_TLS_CERT is 'own.key': allowed is a PEM certificate")
        # Where MAC_URL says who is meant, that one's certificate must be good in itself.
        variables = {"MAC_URL": f"https://127.0.0.1:{port}", "MAC_TLS_CERT": "own.crt"}
        assert run("health", cwd=tmp_path, **variables).returncode == 1
