"""The commands on the pages about users and about the old server say what is printed there."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from mac_actors.core.outcomes import AuthorizationGranted
from tests.conftest import MakeServer
from tests.e2e.forks import put_command
from tests.e2e.processes import PATIENCE, ROOT, Talking, environment
from tests.imports.dm_mac.old_server import write_old
from tests.imports.users.neon_server import KEY, ORGANIZATION, account, neon_server
from tests.test_docs import PAGES, _normalised

BLOCK = re.compile(r"^( *)\.\. code-block:: (\w+)\n(?: *:caption: (\S+)\n)?\n((?:\1   .*\n|\n)+)", re.MULTILINE)

WITHOUT_A_MACHINE = ("sudo ", "export ", "systemctl ", "mac-actors serve", "mac-actors status", "mac-actors slack")
"""Commands that need what a test can't have: another computer's services, a shop with readers, Slack."""


def _steps(page: str) -> list[tuple[str, str]]:
    """Files (their name, their text) and commands (``$ command``, their output), in order."""
    found: list[tuple[str, str]] = []
    for indent, language, caption, body in BLOCK.findall(PAGES[page]):
        text = re.sub(f"^{indent}   ", "", body, flags=re.MULTILINE).strip("\n")
        if caption and not caption.startswith("/"):
            found.append((caption, text + "\n"))
        elif language == "console":
            commands = [part.partition("\n") for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]]
            found += [(f"$ {command}", output) for command, _, output in commands]
    return found


def test_the_page_about_people_says_what_the_commands_say(tmp_path: Path, make_server: MakeServer) -> None:
    etc = ROOT / "etc"
    server = make_server(machines_config=etc / "machines.json", users_config=etc / "users.json")
    assert len(_follow("people.rst", tmp_path, MAC_URL=server.url)) == 3
    script = re.search(r"^.. code-block:: python\n\n((?:   .*\n|\n)+)", PAGES["people.rst"], re.MULTILINE)
    assert script
    code = re.sub("^   ", "", script[1], flags=re.MULTILINE)
    with Talking(cwd=tmp_path, code=code, MAC_URL=server.url) as followed:
        assert followed.wait() == 0, followed.lines
    granted = [outcome for outcome in server.fleet.events() if isinstance(outcome, AuthorizationGranted)]
    assert len(granted) == 4, "the script finds all to be so already"


def _follow(page: str, directory: Path, **variables: str) -> list[str]:
    """Do all that the page says, and compare; returns the commands that were run."""
    done: list[str] = []
    (tools := directory / "bin").mkdir()
    descriptor = put_command(tools)
    env = environment(PATH=f"{tools}:/usr/bin:/bin", MAC_PORT="1", COLUMNS="200", **variables)
    for what, text in _steps(page):
        command = what.removeprefix("$ ")
        if not what.startswith("$ "):
            (directory / what).write_text(text)
        elif not command.startswith(WITHOUT_A_MACHINE):
            asked = "[y/N]" in text  # there is nobody at a terminal here
            ran = subprocess.run(
                ["bash", "-c", command.replace("/srv/dm_mac", "old") + (" --yes" if asked else "")],
                pass_fds=[descriptor],
                cwd=directory,
                env=env,
                capture_output=True,
                text=True,
                timeout=PATIENCE,
                check=False,
            )
            printed = text.replace("127.0.0.1:5000", "127.0.0.1:1").replace("port 5000", "port 1")
            said, expected = _normalised(ran.stdout + ran.stderr), _normalised(printed.rpartition("[y/N]: y\n")[2])
            assert said.endswith(expected) if asked else said == expected, command
            done.append(command)
    return done


def test_the_page_about_the_old_server_works_when_it_is_followed(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    for name in ("machines.json", "users.json"):
        shutil.copy(ROOT / "etc" / name, tmp_path / "old")
    states = tmp_path / "old" / "machine_state"
    now = time.time()
    seen = {"last_checkin": now - 60, "last_update": now - 250_000}
    write_old(states, "metal-mill", is_oopsed=True, **seen)
    write_old(states, "table-saw", is_oopsed=True, is_locked_out=True, **seen)
    write_old(states, "wood-lathe", rfid_value="0001000001", **seen)
    write_old(states, "dust-collector", **seen)
    write_old(states, "sold-bandsaw", is_oopsed=True, **seen)
    assert [command.split()[:2] for command in _follow("migration.rst", tmp_path)] == [
        ["cp", "/srv/dm_mac/machines.json"],
        ["mac-actors", "check"],
        ["mac-actors", "import-dm-mac"],
        ["mac-actors", "import-dm-mac"],
        ["mac-actors", "verify"],
    ]


def _named(name: str) -> dict[str, str]:
    first, last = name.split()
    return {"First Name": first, "Last Name": last, "Email 1": f"{first.lower()}@example.org"}


def test_the_page_about_users_works_when_it_is_followed(tmp_path: Path) -> None:
    trained = {"Laser": "Training Complete", "Woodshop 101": "Training Complete"}
    until = "Membership Expiration Date"
    accounts = [
        account(1, **_named("Ada Example"), Fob10Digit="1000001", **trained, **{until: "2099-06-30"}),
        account(2, **_named("Grace Nobody"), Fob10Digit="1000007", **{"Second Fob": "1000008", until: "2099-03-31"}),
        account(3, **_named("Frøya Made-Up"), Fob10Digit="1000006"),
    ]
    shutil.copy(ROOT / "docs" / "examples" / "mitglieder.csv", tmp_path)
    with neon_server(accounts) as neon:
        secrets = {"NEON_ORG_ID": ORGANIZATION, "NEON_API_KEY": KEY, "NEON_API_URL": neon.url}
        commands = _follow("users.rst", tmp_path, **secrets)
    assert [" ".join(command.split()[:5]) for command in commands] == [
        *(["mac-actors users import csv members.csv"] * 3),
        "mac-actors users import csv wrong.csv",
        "cat members.csv | mac-actors users",
        "USERS_CONFIG=club.json mac-actors users import csv",
        "mac-actors users import neon --dry-run",
    ]
