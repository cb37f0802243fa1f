"""The native API: an oops or a lock of a machine that has power restarts a reader that takes no pokes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mac_actors.esphome import native_api
from mac_actors.esphome.native_api import NativeApi, entity_key
from mac_actors.settings import Tokens
from tests.conftest import Here, MakeServer
from tests.esphome.board import KEY, OTHER_KEY, Board, Connection, board
from tests.fakes import ANN, PATIENCE, wait_until
from tests.web.client import Running

MILL = "metal-mill"
LOCK, OOPS, CLEAR = (f"/api/machine/{word}/{MILL}" for word in ("locked_out", "oops", "clear"))


@pytest.fixture
def mill() -> Iterator[Board]:
    with board(MILL) as made:
        yield made


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def shop(make_server: MakeServer, mill: Board, notices: list[str]) -> Running:
    """A server that has the mill's key, and a session there."""
    server = make_server(tokens=Tokens(reader_api=KEY))
    api(server).port = mill.port
    api(server).notify = notices.append
    server.outputs(MILL)
    assert server.outputs(MILL, ANN)["relay"] is True
    return server


def api(server: Running) -> NativeApi:
    assert server.service.shop.native_api
    return server.service.shop.native_api


def test_the_key_of_the_button_is_that_of_real_boards() -> None:
    assert entity_key("Reboot ESP") == 0x853DA9EF


@pytest.mark.parametrize("command", [OOPS, LOCK])
def test_an_oops_or_a_lock_of_a_machine_with_power_restarts_its_reader(
    shop: Running, mill: Board, notices: list[str], command: str
) -> None:
    shop.post(command)
    assert mill.pressed.acquire(timeout=PATIENCE)
    shop.outputs(MILL, uptime=1)
    wait_until(lambda: not mill.came.acquire(blocking=False))
    assert notices == []


def is_left_alone(shop: Running, mill: Board) -> bool:
    """Whether no attempt was begun: ``readers poke`` would have come after it."""
    shop.outputs(MILL)
    assert shop.post(f"/api/machine/poke/{MILL}").json["native_api"] is True
    assert mill.came.acquire(timeout=PATIENCE)
    return not mill.came.acquire(blocking=False)


def test_without_power_nothing_is_restarted(shop: Running, mill: Board) -> None:
    shop.outputs(MILL)
    shop.post(LOCK)
    shop.post(OOPS)
    shop.post(CLEAR)
    assert is_left_alone(shop, mill)


def test_a_clear_restarts_nothing(shop: Running, mill: Board) -> None:
    shop.post(LOCK)
    assert mill.pressed.acquire(timeout=PATIENCE)
    assert mill.came.acquire(timeout=PATIENCE)
    api(shop)._tried.clear()
    shop.post(CLEAR)
    assert is_left_alone(shop, mill)


def test_a_reader_that_takes_pokes_is_not_restarted(shop: Running, mill: Board) -> None:
    assert shop.report(MILL, ANN, firmware="mac 1", poke=9).json["relay"] is True
    shop.post(LOCK)
    assert is_left_alone(shop, mill)


def test_a_reader_is_restarted_once_a_minute_at_the_most(shop: Running, mill: Board) -> None:
    shop.post(LOCK)
    assert mill.pressed.acquire(timeout=PATIENCE)
    assert mill.came.acquire(timeout=PATIENCE)
    shop.post(CLEAR)
    shop.outputs(MILL)
    assert shop.outputs(MILL, ANN)["relay"] is True
    shop.post(LOCK)
    assert is_left_alone(shop, mill)


def test_what_has_reported_by_then_is_not_restarted(shop: Running, mill: Board) -> None:
    def report_first(connection: Connection) -> None:
        shop.outputs(MILL, ANN)
        mill.serve(connection)

    mill.behave = report_first
    shop.post(LOCK)
    wait_until(lambda: mill.came.acquire(blocking=False))
    wait_until(lambda: None in api(shop).troubles.values())
    assert not mill.pressed.acquire(blocking=False)


# what goes wrong


def refuse(connection: Connection) -> None:
    connection.say_name(MILL)
    connection.frame()
    connection.send_frame(b"\x01Handshake MAC failure")


def hang_later(connection: Connection) -> None:
    connection.say_name(MILL)
    connection.ended()


HOSTILE: dict[str, tuple[Callable[[Connection], None], str]] = {
    "hangs": (lambda connection: connection.ended(), "127.0.0.1 does not answer within 0.5 s"),
    "hangs in the handshake": (hang_later, "127.0.0.1 does not answer within 0.5 s"),
    "hangs up": (lambda connection: None, "no connection with 127.0.0.1, port "),
    "speaks noise": (
        lambda connection: connection.sock.sendall(b"\x17\x03HTTP"),
        "no connection with 127.0.0.1, port ",
    ),
    "refuses the key": (refuse, "127.0.0.1 refuses the key"),
    "is another": (
        lambda connection: connection.say_name("band\x1bsaw"),
        "the board at 127.0.0.1 is called 'bandsaw', not 'metal-mill'",
    ),
    "speaks without encryption": (
        lambda connection: connection.sock.sendall(b"\0\x01\x02x"),
        "127.0.0.1 speaks without encryption",
    ),
}


@pytest.mark.parametrize("behaviour", HOSTILE)
def test_what_goes_wrong_is_said_once_and_nothing_waits(
    shop: Running, mill: Board, notices: list[str], behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mill.behave, why = HOSTILE[behaviour]
    monkeypatch.setattr(native_api, "SECONDS", 0.5 if "0.5 s" in why else 10.0)
    monkeypatch.setattr(native_api, "ONCE_IN_SECONDS", 0.0)
    for _ in range(2):
        shop.outputs(MILL)
        assert shop.outputs(MILL, ANN)["relay"] is True
        assert shop.post(LOCK).json == {"success": True}
        assert mill.came.acquire(timeout=PATIENCE)
        assert shop.outputs(MILL, ANN)["relay"] is False
        shop.post(CLEAR)
        reply = shop.post(f"/api/machine/poke/{MILL}")
        assert (reply.status, why in reply.error) == (503, True), reply.error
        assert mill.came.acquire(timeout=PATIENCE)
    wait_until(lambda: notices)
    assert len(notices) == 1
    assert notices[0].startswith("Metal Mill: its reader could not be restarted at once")
    assert why in notices[0]
    assert KEY not in notices[0]


def test_a_button_that_is_not_there_is_said(
    shop: Running, mill: Board, notices: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_api, "RESTART_SECONDS", 0.2)
    mill.button = "Restart"
    shop.post(LOCK)
    wait_until(lambda: notices)
    assert "its button 'Reboot ESP' was pressed, and it did not restart" in notices[0]
    assert "it has no button 'Reboot ESP'" in shop.post(f"/api/machine/poke/{MILL}").error


def test_a_board_that_nobody_reaches_is_said(shop: Running, mill: Board, notices: list[str]) -> None:
    mill.close()
    shop.post(OOPS)
    wait_until(lambda: notices)
    assert "no connection with 127.0.0.1" in notices[0]


# keys


def test_each_machine_has_its_own_key_or_the_one_of_all(make_server: MakeServer, mill: Board, tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    keys.write_text(f'{{"{MILL}": "{KEY}"}}')
    server = make_server(tokens=Tokens(reader_api=OTHER_KEY), reader_api_keys=keys)
    api(server).port = mill.port
    server.outputs(MILL)
    server.outputs("laser")
    assert server.post(f"/api/machine/poke/{MILL}").json["native_api"] is True
    keys.write_text("{}")
    assert server.post("/api/reload").status == 200
    assert "refuses the key" in server.post(f"/api/machine/poke/{MILL}").error
    keys.write_text('{"metal-mil": 7}')
    reply = server.post("/api/reload")
    assert reply.status == 422
    first, second = reply.error.splitlines()
    assert first == f"{keys}: metal-mil: is no machine; did you mean 'metal-mill'?"
    assert second.startswith(f"{keys}: metal-mil: is no key of ESPHome's native API: allowed are 32 bytes in base64")


def test_a_key_is_in_no_message(tmp_path: Path, here: Here, make_server: MakeServer) -> None:
    assert KEY not in repr(make_server(tokens=Tokens(reader_api=KEY)).service.settings)
    done = here("check", cwd=tmp_path, MAC_READER_API_KEY=KEY + "x")
    assert (done.returncode, done.stderr.startswith("MAC_READER_API_KEY is no key")) == (2, True), done
    assert KEY not in done.stderr


@pytest.mark.parametrize("text", ["[]", "{", '"x"'])
def test_a_file_of_keys_that_is_none_is_a_mistake(
    tmp_path: Path, here: Here, make_server: MakeServer, text: str
) -> None:
    make_server()
    (tmp_path / "keys.json").write_text(text)
    done = here("check", cwd=tmp_path, MAC_READER_API_KEYS="keys.json")
    assert done.returncode == 2
    assert done.stderr.startswith("keys.json: ")


def test_readers_poke_tries_the_native_api_and_restarts_nothing(
    shop: Running, mill: Board, here: Here, tmp_path: Path
) -> None:
    done = here("readers", "poke", MILL, "--url", shop.url, cwd=tmp_path)
    assert done.stdout.startswith("Metal Mill: the native API answered after ")
    assert not mill.pressed.acquire(blocking=False)


def test_two_boards_are_tried_at_the_same_time(shop: Running, mill: Board, notices: list[str]) -> None:
    """The first hangs: the second is stopped all the same."""
    mill.behave = lambda connection: connection.ended()
    shop.post(LOCK)
    assert mill.came.acquire(timeout=PATIENCE)
    with board("laser") as laser:
        api(shop).port = laser.port
        shop.outputs("laser")
        assert shop.outputs("laser", ANN)["relay"] is True
        shop.post("/api/machine/oops/laser")
        assert laser.pressed.acquire(timeout=native_api.SECONDS)


def test_a_key_without_the_package_that_speaks_the_api_says_what_to_install(
    tmp_path: Path, here: Here, make_server: MakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_server()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    done = here("check", cwd=tmp_path, MAC_READER_API_KEY=KEY)
    assert (done.returncode, done.stderr) == (
        2,
        "MAC_READER_API_KEY needs aioesphomeapi: pip install 'mac-actors[esphome]'\n",
    )
