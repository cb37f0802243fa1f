"""The commands that look after readers, and the simulated readers that have keys."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.conftest import Here, MakeServer
from tests.fakes import ANN
from tests.web.signed import FIRMWARE, SignedReader


def test_a_key_is_given_rotated_and_revoked(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    url = ["--url", server.url]
    given = here("readers", "add", "metal", "mill", *url, cwd=tmp_path)
    assert given.returncode == 0
    assert "reader of metal-mill, shown this once" in given.stderr
    reader = SignedReader(server, "metal-mill", given.stdout.strip())
    again = here("readers", "add", "metal-mill", *url, cwd=tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert "has a key already" in again.stderr
    listed = here("readers", "list", *url, cwd=tmp_path).stdout
    assert "never used" in listed
    reader.outputs(ANN)
    assert f"Reader: {FIRMWARE}, has a key\n" in here("status", "metal-mill", *url, cwd=tmp_path).stdout
    assert server.machine("metal-mill")["keyed"] is True
    snapshot = server.fleet["metal-mill"].snapshot().get()
    assert (snapshot, snapshot.keyed) == (server.fleet.snapshot("metal-mill"), True)
    rotated = here("readers", "rotate", "metal-mill", "--by", "Max", *url, cwd=tmp_path)
    lines = here("readers", "list", *url, cwd=tmp_path).stdout.splitlines()
    assert lines[0].split() == ["Machine", "Key", "Firmware", "Last", "report"]
    assert re.search(rf"last used \d+ s ago; a new one waits since \d+ s ago +{FIRMWARE}", lines[1])
    assert lines[2].split() == ["laser", "none", "never"]
    SignedReader(server, "metal-mill", rotated.stdout.strip()).outputs()
    assert reader.send().status == 401
    revoked = here("readers", "revoke", "metal-mill", *url, cwd=tmp_path)
    assert "has no key any more" in revoked.stdout
    assert server.report("metal-mill").status == 200
    asked = json.loads(here("readers", "list", "--json", *url, cwd=tmp_path).stdout)
    assert asked["readers"][0]["key"] is None
    for key in (given.stdout, rotated.stdout):
        assert key.strip() not in listed + "".join(lines)


def test_the_key_of_a_machine_that_is_gone_is_shown_and_can_be_revoked(
    make_server: MakeServer, tmp_path: Path, here: Here
) -> None:
    server = make_server()
    url = ["--url", server.url]
    here("readers", "add", "laser", *url, cwd=tmp_path)
    machines = json.loads(server.machines.read_text(encoding="utf-8"))
    del machines["laser"]
    server.machines.write_text(json.dumps(machines), encoding="utf-8")
    assert server.post("/api/reload").status == 200
    shown = here("readers", "list", *url, cwd=tmp_path).stdout.splitlines()[-1]
    assert re.search(r"^laser +since .*never used +not in machines\.json$", shown.strip())
    assert server.request("PUT", "/api/reader/laser/key", {}).status == 404
    assert "of laser has no key any more" in here("readers", "revoke", "laser", *url, cwd=tmp_path).stdout
    assert "laser" not in here("readers", "list", *url, cwd=tmp_path).stdout
    assert here("readers", "revoke", "laser", *url, cwd=tmp_path).returncode == 1


def test_simulated_readers_with_keys_sign(make_server: MakeServer, tmp_path: Path, here: Here) -> None:
    server = make_server()
    added = here("readers", "add", "metal-mill", "--url", server.url, cwd=tmp_path)
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({"metal-mill": added.stdout.strip()}), encoding="utf-8")

    def simulate(*options: str) -> str:
        done = here(
            "simulate", "--readers", "2", "--seconds", "0.5", "--fast", "--url", server.url, *options, cwd=tmp_path
        )
        assert done.returncode in {0, 1}
        return done.stdout

    assert re.search(r"^errors +0$", simulate("--keys", str(keys)), re.MULTILINE)
    machine = server.machine("metal-mill")
    assert machine["last_checkin"] is not None
    assert "status 401" in simulate()
    keys.write_text(json.dumps({"metal-mill": "0f" * 32}), encoding="utf-8")
    assert "status 401" in simulate("--keys", str(keys))
    keys.write_text(json.dumps({"metal-mill": "4f0c2dsecret", "laser": 7}), encoding="utf-8")
    refused = here("simulate", "--keys", str(keys), "--url", server.url, cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr.count("64 hexadecimal digits") == 2
    assert "4f0c2dsecret" not in refused.stderr
