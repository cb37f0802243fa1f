"""What is in sdist and wheel, and that the installed wheel is the whole server."""

from __future__ import annotations

import json
import os
import subprocess
import tarfile
import zipfile
from configparser import ConfigParser
from email import message_from_bytes
from pathlib import Path

from tests.e2e import processes
from tests.e2e.processes import ROOT, ServerProcess
from tests.packaging.conftest import Distribution, files_in_git


def run(distribution: Distribution, *arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the installed command."""
    return processes.run(*arguments, cwd=cwd, command=[str(distribution.command)])


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        inside = {name for name in wheel.namelist() if ".dist-info/" not in name}
        assert inside == files_in_git("mac_actors")
        for name in inside:
            assert wheel.read(name) == (ROOT / name).read_bytes(), name  # also where git has a link


def test_the_sdist_holds_what_an_installation_needs_and_no_tests_or_tools(distribution: Distribution) -> None:
    with tarfile.open(distribution.sdist) as sdist:
        members = sdist.getmembers()
    assert not [member.name for member in members if not (member.isfile() or member.isdir())]
    inside = {member.name.partition("/")[2] for member in members if member.isfile()}
    made = {"PKG-INFO", *(name for name in inside if name.startswith("mac_actors.egg-info/"))}
    beside = {"CHANGELOG.md", "LICENSE", "MANIFEST.in", "README.md", "constraints.txt", "pyproject.toml", "setup.cfg"}
    assert inside - made == files_in_git("mac_actors", "etc") | beside


def test_nothing_in_the_distribution_names_the_place_where_it_was_built(distribution: Distribution) -> None:
    with zipfile.ZipFile(distribution.wheel) as wheel:
        texts = {name: wheel.read(name) for name in wheel.namelist()}
    for name, text in texts.items():
        assert str(ROOT).encode() not in text, name
        assert str(distribution.wheel.parent.parent).encode() not in text, name


def test_the_version_is_written_in_one_place(distribution: Distribution, tmp_path: Path) -> None:
    written = ConfigParser()
    written.read(ROOT / "setup.cfg")
    version = written["metadata"]["version"]
    assert distribution.sdist.name == f"mac_actors-{version}.tar.gz"
    with zipfile.ZipFile(distribution.wheel) as wheel:
        metadata = message_from_bytes(wheel.read(f"mac_actors-{version}.dist-info/METADATA"))
    assert metadata["Version"] == version
    assert run(distribution, "--version", cwd=tmp_path).stdout == f"mac-actors, version {version}\n"
    sources = [path for path in files_in_git("mac_actors") if path.endswith(".py")]
    assert not [path for path in sources if f'"{version}"' in (ROOT / path).read_text(encoding="utf-8")]


def test_the_installed_wheel_is_used_and_not_this_tree(distribution: Distribution, tmp_path: Path) -> None:
    where = "import mac_actors; print(mac_actors.__file__)"
    python = distribution.command.parent / "python"
    done = subprocess.run([python, "-c", where], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(distribution.command.parent.parent.resolve()))


def test_from_an_empty_directory_to_a_server_that_obeys_a_card(distribution: Distribution, tmp_path: Path) -> None:
    done = run(distribution, "init", "shop", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    shop = tmp_path / "shop"
    done = run(distribution, "check", cwd=shop)
    fine, warning = done.stdout.splitlines()
    assert (done.returncode, fine) == (0, "machines.json and users.json are fine: 3 machines, 2 users with 2 fobs.")
    assert warning.startswith("WARNING: MAC_READER_TOKEN is not set: ")
    files = {"MACHINES_CONFIG": "machines.json", "USERS_CONFIG": "users.json"}
    with ServerProcess(shop, command=[str(distribution.command)], **files) as server:
        status, page = server.fetch("/")
        assert (status, b"<html" in page.lower()) == (200, True)
        status, page = server.fetch("/docs")
        assert (status, b"<html" in page.lower()) == (200, True)
        for name in sorted(files_in_git("mac_actors/web/pages/static")):
            if not name.endswith((".LICENSE", ".html", ".map")):
                assert server.fetch(f"/static/{Path(name).name}")[0] == 200, name
        assert server.report("table-saw", "1000001")["relay"] is True
        assert run(distribution, "health", "--url", server.url, cwd=shop).stdout == "The server is well.\n"
        assert run(distribution, "verify", cwd=shop).returncode == 0
        assert server.terminate() == 0
    assert json.loads((shop / "machines.json").read_text()).keys() == {"table-saw", "laser", "dust-collector"}
    assert os.path.lexists(shop / "machine_state" / "mac.sqlite3")
