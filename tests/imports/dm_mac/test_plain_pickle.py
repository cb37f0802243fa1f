"""A pickle is read as data: whatever is in it, nothing of it runs, and nothing takes all the memory."""

from __future__ import annotations

import pickle
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mac_actors.imports.dm_mac.plain_pickle import LONGEST, OPAQUE, PickleError, read
from tests.imports.dm_mac.old_server import CORPUS, hostile, old_state, pickled, pickled_with_user, truncated

FILES = {path.name: path.read_bytes() for path in sorted(CORPUS.iterdir())}
HOSTILE = hostile()

"".encode("raw-unicode-escape")  # Python imports the codec when it is first used
_WATCHED: list[str] = []
_watching = False


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if _watching:
        _WATCHED.append(f"{event} {arguments!r:.100}")


sys.addaudithook(_note)  # imports, calls out, files, code: whatever a pickle could want to do is an audit event


@contextmanager
def watched() -> Iterator[list[str]]:
    """What the interpreter is asked to do meanwhile: imports, programs, files, compiled code."""
    global _watching
    _WATCHED.clear()
    _watching = True
    try:
        yield _WATCHED
    finally:
        _watching = False


def result(data: bytes) -> object:
    """Read without a trace of anything but reading."""
    with watched() as events:
        try:
            return read(data)
        except PickleError as error:
            assert str(error).isprintable() or "\\" in repr(str(error))
            return error
        finally:
            assert events == []


def test_the_watch_sees_what_pickle_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python's own unpickler, on the same input, does what is feared."""
    monkeypatch.chdir(tmp_path)
    with watched() as events:
        pickle.loads(HOSTILE["os-system-alone"])
    assert any(event.startswith("os.system") for event in events)
    assert (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_of_a_hostile_pickle_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tracemalloc.start()
    try:
        value = result(HOSTILE[name])
        assert tracemalloc.get_traced_memory()[1] < 64_000_000
    finally:
        tracemalloc.stop()
    del value  # however deep it is
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_the_corpus_is_read_or_refused_and_never_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value = result(FILES[name])
    if name.startswith("state-"):
        assert isinstance(value, dict)
        assert (value["machine_name"], value["is_oopsed"], value["current_user"]) == ("mill", True, OPAQUE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_state_is_what_it_was_in_every_protocol(protocol: int) -> None:
    state = old_state("mill", is_locked_out=True, rfid_value="0001234567", big=10**300, low=-7, odd="Größe 'x'\n\\")
    value = result(pickled(state, protocol))
    assert value == {**state, "status_led_rgb": [0.0, 0.0, 0.0]}
    assert result(pickled_with_user(state, protocol)) == {**state, "status_led_rgb": [0.0] * 3, "current_user": OPAQUE}


def test_an_object_has_nothing_to_ask_it_for() -> None:
    assert repr(OPAQUE) == "OPAQUE"
    assert not hasattr(OPAQUE, "__dict__")
    assert result(pickled({"a": {1, 2}, "b": frozenset({3}), "c": pickle.PickleError("x")})) == dict.fromkeys(
        "abc", OPAQUE
    )


def test_what_is_too_long_is_not_looked_at() -> None:
    assert str(result(HOSTILE["too-long"])) == f"it is longer than {LONGEST} bytes"
    just = b"\x80\x04\x8d" + (LONGEST - 12).to_bytes(8, "little") + b"x" * (LONGEST - 12)
    assert result((just + b".")[:LONGEST] if len(just) < LONGEST else just) is not None


def test_an_error_says_what_and_where() -> None:
    assert str(result(HOSTILE["stack-underflow"])) == "a value is missing (byte 2)"
    assert str(result(HOSTILE["hashes-a-tuple-bomb"])) == "a key is not text (byte 60006)"
    assert str(result(HOSTILE["item-of-a-number"])) == "a dict is missing (byte 9)"
    assert str(result(HOSTILE["two-values"])) == "it does not end with one value"
    assert "damaged, or no pickle at all" in str(result(b""))


def test_a_file_that_a_power_cut_has_shortened_is_refused() -> None:
    for beginning in truncated():
        assert isinstance(result(beginning), PickleError)


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(PLAIN, st.integers(3, pickle.HIGHEST_PROTOCOL))
def test_plain_data_comes_back_as_it_was(value: Any, protocol: int) -> None:
    assert read(pickle.dumps(value, protocol)) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    result(data)


OPCODES = st.sampled_from(
    [
        bytes([code])
        for code in b"(012FIJKLMNRSTUVX]abcdeghijlopqrstu}\x80\x81\x82\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x97."
    ]
)


@given(st.lists(OPCODES | st.binary(max_size=6), max_size=60))
def test_any_opcodes_are_read_or_refused(parts: list[bytes]) -> None:
    result(b"".join(parts) + b".")


@given(st.sampled_from(list(FILES.values())), st.data())
def test_any_damage_to_a_known_file_is_read_or_refused(whole: bytes, data: st.DataObject) -> None:
    damaged = bytearray(whole[:2000])
    for _ in range(data.draw(st.integers(1, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    result(bytes(damaged))
