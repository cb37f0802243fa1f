"""One configuration for all servers of a cell, wherever it is changed; and what the commands show."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg
import pytest

from mac_actors.cluster.passing import ADDRESS, AGE, HOPS
from mac_actors.cluster.passing import SECRET as SECRET_HEADER
from mac_actors.cluster.revisions import Revisions
from mac_actors.errors import ConfigError, MacError, StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.service.cell_files import CellFiles
from mac_actors.service.service import Service
from mac_actors.service.shop import Shop
from mac_actors.settings import Settings, Tokens
from mac_actors.settings.cell import Cell
from mac_actors.settings.files import parse_files
from tests.conftest import Here
from tests.e2e.processes import free_port
from tests.fakes import ANN, sample_machines, sample_users, wait_until
from tests.postgres import needs_postgres
from tests.web.client import Running
from tests.webhooks.receiver import SECRET

pytestmark = needs_postgres

Make = Callable[[str], Running]


def files(directory: Path, **machines: object) -> tuple[Path, Path]:
    directory.mkdir(exist_ok=True)
    (directory / "machines.json").write_text(json.dumps({**sample_machines(), **machines}))
    (directory / "users.json").write_text(json.dumps(sample_users()))
    for name in ("slack", "webhooks"):
        if not (path := directory / f"{name}.json").exists():
            path.write_text("{}")
    return directory / "machines.json", directory / "users.json"


@pytest.fixture
def make(tmp_path: Path, database: str) -> Iterator[Make]:
    made = []

    def start(name: str) -> Running:
        port = free_port()
        cell = Cell(database, f"http://127.0.0.1:{port}", "the-secret-of-the-cell", 10)
        settings = Settings(
            *files(tmp_path / name),
            host="127.0.0.1",
            port=port,
            tokens=Tokens("token"),
            cell=cell,
            slack_config=tmp_path / name / "slack.json",
            webhooks=tmp_path / name / "webhooks.json",
        )
        service = Service(settings)
        made.append(service)
        service.start()
        return Running(service)

    yield start
    for service in made:
        service.stop()


def owner_and_other(make: Make) -> tuple[Running, Running]:
    one = make("a")
    assert one.service.member
    member = one.service.member
    wait_until(lambda: member.shop)
    other = make("b")
    assert other.service.member
    node = other.service.member.node
    wait_until(lambda: node.standing().owner)
    return one, other


ADMIN = {"Authorization": "Bearer token"}


def test_a_reload_reads_the_files_where_it_is_called_and_all_servers_follow(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    files(tmp_path / "b", robot={"authorizations_or": ["Wood"]})
    reply = other.request("POST", "/api/reload", headers=ADMIN)
    assert reply.status == 200, reply
    assert reply.json["machines"]["added"] == ["robot"]
    assert "robot" in list(owner.service.fleet)
    wait_until(lambda: "robot" in other.service.configuration.machines)
    differs = "the files here are not what is in use (machines): a reload takes them"
    wait_until(lambda: owner.request("GET", "/readyz").json["notes"] == {"configuration": differs})
    wait_until(lambda: other.request("GET", "/readyz").json == {"ready": True, "problems": {}, "notes": {}})

    # And so is one by a signal.
    files(tmp_path / "b")
    assert '"removed":["robot"]' in str(other.service.reload()).replace(" ", "")
    assert "robot" not in list(owner.service.fleet)
    wait_until(lambda: owner.request("GET", "/readyz").json["notes"] == {})


def test_what_is_posted_when_and_the_webhooks_follow_too_and_no_secret_stays_behind(
    make: Make, tmp_path: Path, database: str
) -> None:
    owner, other = owner_and_other(make)
    slack, webhooks = tmp_path / "b" / "slack.json", tmp_path / "b" / "webhooks.json"

    def webhook_secrets() -> list[str | None]:
        with psycopg.connect(database) as connection:
            return [text for (text,) in connection.execute("SELECT webhooks FROM revision ORDER BY id").fetchall()]

    for secret in (SECRET, SECRET.replace("MfKQ", "OtHr")):
        slack.write_text(json.dumps({"digest_minutes": 15}))
        webhooks.write_text(json.dumps({"here": {"url": "http://127.0.0.1:1/", "secret": secret}}))
        differs = "the files here are not what is in use (slack, webhooks): a reload takes them"
        wait_until(lambda: "webhooks" in other.request("GET", "/readyz").json["notes"].get("configuration", ""))
        assert other.request("POST", "/api/reload", headers=ADMIN).status == 200
        assert owner.service.fleet.configuration.webhooks["here"].secret == secret
        wait_until(lambda: not other.request("GET", "/readyz").json["notes"])
        assert other.service.configuration.webhooks["here"].secret == secret
        assert [text for text in webhook_secrets() if text] == [webhooks.read_text()]
    for server in (owner, other):
        assert server.service.configuration.routing.digest_minutes == 15
    wait_until(lambda: owner.request("GET", "/readyz").json["notes"] == {"configuration": differs})
    assert owner.request("POST", "/api/reload-users", headers=ADMIN).status == 200
    assert owner.service.configuration.routing.digest_minutes == 15
    assert owner.request("POST", "/api/reload", headers=ADMIN).status == 200
    assert webhook_secrets()[-1] == "{}"
    assert not [text for text in webhook_secrets() if "whsec" in (text or "")]


def test_a_file_that_is_wrong_where_the_reload_is_called_changes_nothing(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    (tmp_path / "b" / "machines.json").write_text("{")
    reply = other.request("POST", "/api/reload", headers=ADMIN)
    assert reply.status == 422
    assert "machines.json" in reply.error
    with pytest.raises(MacError, match="did not take it"):
        other.service.reload()
    assert other.request("POST", "/api/reload", headers={"Authorization": "Bearer wrong"}).status == 401
    wait_until(lambda: "can't be read" in other.request("GET", "/readyz").json["notes"].get("configuration", ""))
    assert len(owner.service.fleet) == len(sample_machines())


def test_only_an_admins_reload_takes_files_along_and_nothing_is_left_of_one_that_is_refused(
    make: Make, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = owner_and_other(make)
    proposed: list[int] = []
    propose = Revisions.propose

    def noted(self: Revisions, read: Any) -> int:
        proposed.append(propose(self, read))
        return proposed[-1]

    monkeypatch.setattr(Revisions, "propose", noted)
    files(tmp_path / "b", robot={"authorizations_or": ["Wood"]})
    wrong = {"Authorization": "Bearer wrong"}
    assert other.request("POST", "/api/reload", headers=wrong).status == 401
    assert other.request("GET", "/api/reload", headers=ADMIN).status == owner.request("GET", "/api/reload").status
    assert not proposed
    reply = owner.request("POST", "/api/admins", {"name": "Ann"}, headers=ADMIN)
    monkeypatch.setattr(Revisions, "accept", lambda self, number: (_ for _ in ()).throw(ConfigError(["no"])))
    personal = {"Authorization": f"Bearer {reply.json['token']}"}
    assert other.request("POST", "/api/reload", headers=personal).status == 422
    assert len(proposed) == 1
    with psycopg.connect(database) as connection:
        assert not connection.execute("SELECT id FROM revision WHERE id < 0").fetchall()


@pytest.mark.parametrize(
    ("body", "said"),
    [({"problems": ["machines.json: no"]}, "machines.json: no"), ({}, "no files along"), ([], "no files along")],
)
def test_a_reload_by_two_servers_takes_the_files_of_the_first_one(make: Make, body: object, said: str) -> None:
    _, other = owner_and_other(make)
    passed = ADMIN | {SECRET_HEADER: "the-secret-of-the-cell", ADDRESS: "127.0.0.1", HOPS: "1", AGE: "0"}
    reply = other.request("POST", "/api/reload", body, headers=passed)
    assert reply.status == 422, reply
    assert said in reply.error


def test_a_proposal_is_nobody_elses_and_no_configuration_is_taken_for_one(database: str) -> None:
    revisions = Revisions(database)
    given: dict[str, Any] = {"machines": {}, "users": []}
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("UPDATE part SET epoch = 1, incarnation = 'one'")
    number = revisions.add(given, 1, "one")
    with pytest.raises(StorageError, match="reload once more"):
        revisions.accept(number)
    revisions.withdraw(number)
    one, other = revisions.propose(given), revisions.propose(given)
    assert revisions.accept(one).files == given
    assert revisions.propose(given) not in {one, other}
    assert revisions.newest()


def test_what_is_stored_was_checked_though_the_files_change_meanwhile(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, _ = owner_and_other(make)
    read = CellFiles._read_files

    def meanwhile(self: CellFiles) -> dict[str, Any]:
        files(tmp_path / "a", robot={"nonsense": 1})
        return read(self)

    monkeypatch.setattr(CellFiles, "_read_files", meanwhile)
    assert owner.request("POST", "/api/reload", headers=ADMIN).status == 422
    assert owner.service.member
    revisions = owner.service.member.files._revisions
    assert revisions
    newest = revisions.newest()
    assert newest
    assert "robot" not in newest.files["machines"]


def test_a_configuration_that_can_not_be_used_is_said_once_in_the_log_and_in_readyz(
    make: Make, database: str, caplog: pytest.LogCaptureFixture
) -> None:
    _, other = owner_and_other(make)
    assert other.service.member
    with psycopg.connect(database, autocommit=True) as connection:
        add = "INSERT INTO revision (id, at, machines, users) SELECT id + 1, at, '[]', users FROM revision"
        connection.execute(add)
    wait_until(lambda: "can't be used here" in other.request("GET", "/readyz").json["notes"].get("configuration", ""))
    other.service.member.files.follow()
    assert caplog.text.count("the configuration 2 can't be used here") == 1


def test_a_server_that_can_not_use_what_is_in_use_owns_only_where_no_other_one_can(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = owner_and_other(make)
    first, second = owner.service.member, other.service.member
    assert first
    assert second

    def parse(settings: Settings, read: Any) -> Any:
        if settings is second._settings and "robot" in read["machines"]:
            raise ConfigError(["robot: an older version"])
        return parse_files(settings, read)

    monkeypatch.setattr("mac_actors.service.cell_files.parse_files", parse)
    files(tmp_path / "a", robot={"authorizations_or": ["Wood"]})
    assert owner.request("POST", "/api/reload", headers=ADMIN).status == 200
    wait_until(lambda: second.files.unfit)
    assert first.hand_over()
    wait_until(lambda: "can't be used here" in second.node.problems().get("owner", ""))
    first.node._resting_until = 0.0
    wait_until(lambda: first.shop and first.node.owns(2))
    with pytest.raises(StorageError, match="can't be used here"):
        second.files.own(3)
    owner.service.stop()
    wait_until(lambda: second.shop)
    assert "robot" not in list(other.service.fleet)


def test_a_server_that_begins_uses_what_is_in_use_and_not_its_own_files(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    assert owner.request("POST", "/api/reload-users", headers=ADMIN).status == 200
    files(tmp_path / "b", robot={"authorizations_or": ["Wood"]})
    other.service.stop()
    (tmp_path / "c").mkdir()
    files(tmp_path / "c", robot={"authorizations_or": ["Wood"]})
    third = make("c")
    assert "robot" not in third.service.configuration.machines


def test_the_next_owner_uses_what_was_loaded_a_moment_before_it_took_over(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    first, second = owner.service.member, other.service.member
    assert first
    assert second
    second.node.membership._each_second = lambda revision: None  # it has not looked since
    files(tmp_path / "a", robot={"authorizations_or": ["Wood"]})
    assert owner.request("POST", "/api/reload", headers=ADMIN).status == 200
    assert first.hand_over()
    wait_until(lambda: second.shop)
    assert "robot" in list(other.service.fleet)


class Watched:
    """A lock that says who comes to it."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.came = threading.Semaphore(0)

    def __enter__(self) -> None:
        self.came.release()
        self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_of_two_reloads_at_once_the_files_that_are_read_last_are_in_use_and_stored(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, _ = owner_and_other(make)
    assert owner.service.member
    own = owner.service.member.files
    own.reloading = watched = Watched()  # type: ignore[assignment]
    begun, go_on, reload = threading.Event(), threading.Event(), MachineFleet.reload

    def late(self: MachineFleet, *given: Any, **more: Any) -> Any:
        begun.set()
        assert go_on.wait(20)
        return reload(self, *given, **more)

    monkeypatch.setattr(MachineFleet, "reload", late)
    with ThreadPoolExecutor() as aside:
        first = aside.submit(owner.request, "POST", "/api/reload", headers=ADMIN)
        assert begun.wait(20)
        files(tmp_path / "a", robot={"authorizations_or": ["Wood"]})
        second = aside.submit(owner.request, "POST", "/api/reload", headers=ADMIN)
        assert all(watched.came.acquire(timeout=20) for _ in range(2))
        go_on.set()
        assert [first.result(20).status, second.result(20).status] == [200, 200]
    assert own._revisions
    stored = own._revisions.newest()
    assert stored
    assert "robot" in list(owner.service.fleet)
    assert "robot" in stored.files["machines"]


def test_the_files_of_a_reload_that_was_refused_are_not_stored_with_the_next_one(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    assert owner.service.member
    own = owner.service.member.files
    assert own.load()
    assert own._read is not None
    (tmp_path / "b" / "machines.json").write_text("{")
    assert other.request("POST", "/api/reload", headers=ADMIN).status == 422
    assert own._read is None


def test_a_former_owner_takes_no_reload(make: Make, tmp_path: Path) -> None:
    owner, other = owner_and_other(make)
    member = owner.service.member
    assert member
    other.service.stop()
    member.node._drop = lambda: None
    files(tmp_path / "a", robot={"authorizations_or": ["Wood"]})
    assert member.node.release()
    member.node._resting_until = math.inf
    reply = owner.request("POST", "/api/reload", headers=ADMIN)
    assert (reply.status, "nothing was changed" in reply.error) == (503, True)
    with pytest.raises(MacError, match="did not take it"):
        owner.service.reload()
    assert member.shop
    assert "robot" not in list(member.shop.fleet)


@pytest.mark.parametrize("change", ["epoch = epoch + 1", "incarnation = 'another'"])
def test_what_an_owner_loads_while_another_one_takes_over_is_not_stored(database: str, change: str) -> None:
    given: dict[str, Any] = {"machines": {}, "users": []}
    with psycopg.connect(database, autocommit=True) as outside:
        outside.execute("UPDATE part SET epoch = 1, incarnation = 'one'")
        assert Revisions(database).add(given, 1, "one") == 1
        with ThreadPoolExecutor() as aside:
            with psycopg.connect(database) as taking:
                taking.execute(f"UPDATE part SET {change}")
                adding = aside.submit(Revisions(database).add, given, 1, "one")
                waits = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
                wait_until(lambda: adding.done() or outside.execute(waits).fetchall())
            with pytest.raises(StorageError, match="another server owns"):
                adding.result(20)


def test_a_server_that_is_not_the_owner_has_the_metrics_of_its_own(make: Make) -> None:
    owner, other = owner_and_other(make)
    assert b"\nmac_cell_owns 1.0\nmac" not in other.request("GET", "/metrics").body
    assert b"\nmac_cell_owns 0.0" in other.request("GET", "/metrics").body
    assert b"mac_machine" not in other.request("GET", "/metrics").body
    assert b"\nmac_cell_owns 1.0" in owner.request("GET", "/metrics").body


def test_a_login_is_good_at_every_server_and_after_a_takeover(make: Make) -> None:
    owner, other = owner_and_other(make)
    reply = owner.request("POST", "/api/admins", {"name": "Ann"}, headers=ADMIN)
    assert reply.status == 201, reply
    personal = {"Authorization": f"Bearer {reply.json['token']}"}
    assert other.request("POST", "/api/machine/oops/laser", {}, headers=personal).status == 200
    assert owner.service.member
    assert owner.service.member.hand_over()
    member = other.service.member
    assert member
    wait_until(lambda: member.shop)
    wait_until(lambda: other.request("POST", "/api/machine/clear/laser", {}, headers=personal).status == 200)
    wait_until(lambda: owner.request("POST", "/api/machine/oops/laser", {}, headers=personal).status == 200)


def test_while_the_next_owner_is_built_a_new_session_goes_on_and_an_admin_waits(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, other = owner_and_other(make)
    first, second = owner.service.member, other.service.member
    assert first
    assert second
    wait_until(lambda: second._holding.known.states)
    second.node.membership._each_second = lambda revision: None  # what has begun since is not known there
    assert owner.outputs("metal-mill", ANN)["relay"]
    building, go_on = threading.Event(), threading.Event()

    def build(*given: Any, **more: Any) -> Shop:
        building.set()
        assert go_on.wait(20)
        return Shop(*given, **more)

    monkeypatch.setattr("mac_actors.service.cell.Shop", build)
    monkeypatch.setattr("mac_actors.cluster.door.WAIT_SECONDS", 20.0)
    with ThreadPoolExecutor() as aside:
        assert first.hand_over()
        assert building.wait(20)
        assert other.outputs("metal-mill", ANN)["relay"]
        clear = aside.submit(other.request, "POST", "/api/machine/clear/router", {}, headers=ADMIN)
        assert other.outputs("metal-mill", ANN)["relay"]
        assert not clear.done()
        go_on.set()
        assert clear.result(20).status == 200
    assert other.outputs("metal-mill", ANN)["relay"]
    assert second.shop


def test_the_commands_show_the_cell_and_have_its_owner_hand_over(
    make: Make, tmp_path: Path, here: Here, database: str
) -> None:
    owner, other = owner_and_other(make)
    wait_until(lambda: len(_nodes(database)) == 2)
    variables = {"MAC_DATABASE": database, "MAC_LEASE_SECONDS": "10"}
    done = here("cluster", "status", cwd=tmp_path, **variables)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"Owner: {owner.url} (epoch 1, last beat ")
    assert f"{other.url}  standby" in done.stdout
    done = here("cluster", "release", "--gone", "--yes", cwd=tmp_path, **{**variables, "MAC_LEASE_SECONDS": "1"})
    assert done.returncode == 1
    assert "lives: its lease goes on" in done.stderr
    done = here("cluster", "release", cwd=tmp_path, **variables)
    assert f"{other.url} owns the machines now, after" in done.stdout, done.stderr
    body = json.loads(here("cluster", "status", "--json", cwd=tmp_path, **variables).stdout)
    assert (body["owner"], body["epoch"]) == (other.url, 2)
    done = here("cluster", "status", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "MAC_DATABASE is not set: a server on SQLite is the only one (docs/cell.rst)\n"


def _nodes(database: str) -> list[object]:
    with psycopg.connect(database) as connection:
        return list(connection.execute("SELECT * FROM node").fetchall())


def test_a_database_that_can_not_be_had_is_said_in_one_line(tmp_path: Path) -> None:
    cell = Cell("postgresql://nobody:hidden@127.0.0.1:1/mac")
    with pytest.raises((MacError, ConfigError)) as refused:
        Service(Settings(*files(tmp_path / "a"), host="127.0.0.1", port=0, cell=cell))
    assert "cannot connect to the database mac at 127.0.0.1" in str(refused.value)
    assert "hidden" not in str(refused.value)
    assert "\n" not in str(refused.value)
