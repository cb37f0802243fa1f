"""Scripts that end in every way: they don't hang, and what was decided is on disk."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from mac_actors import Fleet
from mac_actors.core.outcomes import LockSet
from tests.e2e.processes import SAMPLES, Talking

OPEN = """
import sys, threading, pykka
from mac_actors import Fleet, RemoteFleet
fleet = Fleet.open()
class Mine(pykka.ThreadingActor):
    def on_receive(self, outcome):
        pass
    def on_stop(self):
        print("my actor stopped", flush=True)
fleet.start(Mine)
for number in range(200):
    fleet["router" if "router" in fleet else "welder"].lock(reason=str(number))
    fleet["welder"].unlock()
"""

THREAD = """
def work():
    threading.main_thread().join()
    assert fleet["welder"].lock(reason="from the thread").get().durable
    print("worked", flush=True)
threading.Thread(target=work).start()
"""

ENDS = {
    "falls off its end": ("", 0),
    "leaves": ("sys.exit(3)", 3),
    "fails": ("1 / 0", 1),
    "closes": ("fleet.close()", 0),
    "has a thread that goes on": (THREAD, 0),
}


def _locks(tmp_path: Path) -> int:
    with Fleet.open(SAMPLES["MACHINES_CONFIG"], SAMPLES["USERS_CONFIG"], tmp_path / "machine_state") as fleet:
        return sum(isinstance(event, LockSet) for event in fleet.events("welder"))


@pytest.mark.parametrize("way", ENDS)
def test_a_script_that_forgets_close_does_not_hang_and_loses_nothing(tmp_path: Path, way: str) -> None:
    end, status = ENDS[way]
    with Talking(cwd=tmp_path, code=OPEN + end, **SAMPLES) as script:
        assert script.wait() == status, script.lines
    assert "my actor stopped" in script.lines
    assert "worked" in script.lines or "thread" not in way
    assert _locks(tmp_path) == 200 + ("thread" in way)


def test_ctrl_c_ends_a_script_at_once_and_loses_nothing(tmp_path: Path) -> None:
    # In short waits: a signal that comes just before a thread lies down to wait does not wake it.
    wait = "print('ready', flush=True)\nwhile True: threading.Event().wait(0.1)"
    with Talking(cwd=tmp_path, code=OPEN + wait, **SAMPLES) as script:
        assert script.wait_for(".") == "ready"
        assert script.interrupt() == -signal.SIGINT
    assert "KeyboardInterrupt" in script.lines
    assert _locks(tmp_path) == 200


def test_a_fleet_that_can_not_be_opened_lets_the_directory_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = SAMPLES["MACHINES_CONFIG"], SAMPLES["USERS_CONFIG"]

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake in the start")

    with monkeypatch.context() as broken:
        broken.setattr("mac_actors.fleet.supervisor.Supervisor.start", fail)
        with pytest.raises(RuntimeError, match="a mistake"):
            Fleet.open(*files, tmp_path)
    with Fleet.open(*files, tmp_path) as fleet:
        assert fleet["welder"].lock().get().durable
