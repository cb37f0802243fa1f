"""Files as the old server wrote them, and files that somebody who means harm would put in their place."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import struct
import sys
import types
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"


def old_state(name: str, **changes: Any) -> dict[str, Any]:
    """A state of the old server, with all that it has in it."""
    return {
        "machine_name": name,
        "last_checkin": 1_790_000_060.25,
        "last_update": 1_790_000_000.5,
        "rfid_value": None,
        "rfid_present_since": None,
        "relay_desired_state": False,
        "is_oopsed": False,
        "is_locked_out": False,
        "is_override_login": False,
        "current_amps": 0,
        "display_text": "Please Insert\nRFID Card",
        "uptime": 4242.5,
        "status_led_rgb": (0.0, 0.0, 0.0),
        "status_led_brightness": 0.0,
        "wifi_signal_db": -58,
        "wifi_signal_percent": 84.0,
        "internal_temperature_c": 53.9,
        "current_user": None,
        "second_relay_desired_state": False,
        "second_relay_authorization": None,
        "state_save_timeouts": 0,
        **changes,
    }


def pickled(state: object, protocol: int = pickle.HIGHEST_PROTOCOL) -> bytes:
    return pickle.dumps(state, protocol)


def old_user() -> object:
    """Somebody who is logged in: an object of a class of the old server's, which is not installed here."""
    return _foreign_class("dm_mac.models.users", "User")(fob_codes=["0001234567"], full_name="Ann Able", account_id="1")


def _foreign_class(module: str, name: str) -> Any:
    def set_up(self: Any, **facts: Any) -> None:
        self.__dict__.update(facts)

    return type(name, (), {"__module__": module, "__init__": set_up})


def pickled_with_user(state: dict[str, Any], protocol: int = pickle.HIGHEST_PROTOCOL) -> bytes:
    """Pickle a state that has an object of the old server's in it, whose modules exist for that moment alone."""
    user = old_user()
    names = ("dm_mac", "dm_mac.models", "dm_mac.models.users")
    try:
        for name in names:
            sys.modules[name] = types.ModuleType(name)
        sys.modules[names[-1]].User = type(user)  # type: ignore[attr-defined]
        return pickle.dumps({**state, "current_user": user}, protocol)
    finally:
        for name in names:
            sys.modules.pop(name, None)


class Calls:
    """Pickles to a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


class _Persistent(pickle.Pickler):
    def persistent_id(self, obj: object) -> object:
        return "os.system" if obj == "touch harm" else None


def _with_persistent_id(protocol: int) -> bytes:
    target = io.BytesIO()
    _Persistent(target, protocol).dump(old_state("mill", display_text="touch harm"))
    return target.getvalue()


def hostile() -> dict[str, bytes]:
    """Pickles that would do harm: run something, or take all the memory or time there is."""
    harm = "import pathlib; pathlib.Path('harm').touch()"
    deep = b"".join([b"\x80\x02", b"]" * 30_000, b"a" * 29_999, b"."])
    laughs = (
        b"\x80\x02]q\x00"
        + b"".join(b"](" + b"h" + bytes([n]) + b"h" + bytes([n]) + b"eq" + bytes([n + 1]) for n in range(200))
        + b"."
    )
    shared_tuples = b"\x80\x02)" + b"2\x86" * 30_000 + b"."
    return {
        "os-system-in-a-value": pickled(old_state("mill", display_text=Calls(os.system, "touch harm"))),
        "os-system-protocol-0": pickled(old_state("mill", display_text=Calls(os.system, "touch harm")), 0),
        "os-system-alone": b"cposix\nsystem\n(S'touch harm'\ntR.",
        "builtins-eval": pickled(old_state("mill", uptime=Calls(builtins.eval, f"exec({harm!r})"))),
        "builtins-exec-inst": b'(S"' + harm.encode() + b'"\nibuiltins\nexec\n.',
        "builtins-exec-obj": b'(cbuiltins\nexec\nS"' + harm.encode() + b'"\no.',
        "newobj": b"\x80\x02cbuiltins\nobject\n)\x81.",
        "newobj-ex": b"\x80\x04\x8c\x08builtins\x8c\x06object\x93)}\x92.",
        "build-sets-attributes": b"\x80\x02csys\nmodules\n}X\x01\x00\x00\x00aK\x01sb.",
        "extension-1": b"\x80\x02\x82\x01.",
        "extension-2": b"\x80\x02\x83\x01\x00.",
        "extension-4": b"\x80\x02\x84\x01\x00\x00\x00.",
        "persistent-id-text": _with_persistent_id(0),
        "persistent-id": _with_persistent_id(2),
        "out-of-band-buffer": b"\x80\x05\x97\x98.",
        "hashes-a-tuple-bomb": b"\x80\x02})" + b"2\x86" * 30_000 + b"K\x01s.",
        "tuple-bomb": shared_tuples,
        "billion-laughs": laughs,
        "deep": deep,
        "deep-dicts": b"\x80\x02" + b"}U\x01a" * 15_000 + b"}" + b"s" * 15_000 + b".",
        "huge-memo-index": b"\x80\x02}r" + struct.pack("<I", 2**32 - 1) + b".",
        "huge-memo-text": b"}p" + b"9" * 4000 + b"\n.",
        "huge-text-announced": b"\x80\x04\x8d" + struct.pack("<Q", 2**62) + b"x.",
        "huge-bytes-announced": b"\x80\x04\x8e" + struct.pack("<Q", 2**64 - 1) + b"x.",
        "huge-frame": b"\x80\x04\x95" + struct.pack("<Q", 2**63) + b"}.",
        "huge-number": b"\x80\x02\x8b" + struct.pack("<i", 60_000) + b"\xff" * 60_000 + b".",
        "huge-decimal": b"L" + b"9" * 60_000 + b"L\n.",
        "negative-length": b"\x80\x02\x8b" + struct.pack("<i", -5) + b".",
        "too-long": pickled(old_state("mill", display_text="x" * 70_000)),
        "self-reference": b"\x80\x02]q\x00h\x00a.",
        "odd-escape": b"S'\\z\\8'\n.",
        "lone-surrogate": pickled(old_state("mill", rfid_value="\ud800")),
        "not-a-number": pickled(old_state("mill", last_checkin=float("nan"))),
        "end-of-time": pickled(old_state("mill", last_update=1e300)),
        "empty": b"",
        "zeroes": bytes(512),
        "text": b"{'is_oopsed': False}",
        "only-stop": b".",
        "two-values": b"NN.",
        "only-a-mark": b"(.",
        "unknown-opcode": b"\x80\x05\xff.",
        "missing-mark": b"\x80\x02}u.",
        "odd-items": b"\x80\x02}(K\x01u.",
        "item-of-a-number": b"\x80\x02K\x01(U\x01aNu.",
        "append-to-a-dict": b"\x80\x02}Na.",
        "stack-underflow": b"\x80\x02R.",
        "pop-of-nothing": b"0.",
        "dup-of-nothing": b"2.",
        "memo-of-nothing": b"h\x07.",
        "items-without-dict": b"(U\x01aNu.",
    }


def truncated() -> list[bytes]:
    """Every beginning of a file: what a power cut leaves."""
    whole = pickled_with_user(old_state("mill", is_oopsed=True))
    return [whole[:length] for length in range(len(whole))]


def write_old(directory: Path, name: str, **changes: Any) -> Path:
    """Write a machine's file as the old server did."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{name}-state.pickle"
    path.write_bytes(pickled(old_state(name, **changes)))
    (directory / f"{path.name}.lock").touch()
    return path


def write_corpus() -> None:
    """Write the corpus anew: ``python -c 'from tests.imports.dm_mac.old_server import *; write_corpus()'``."""
    CORPUS.mkdir(exist_ok=True)
    for name, data in hostile().items():
        if len(data) < 8000:
            (CORPUS / f"hostile-{name}.pickle").write_bytes(data)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        state = old_state("mill", is_oopsed=True, rfid_value="0001234567")
        (CORPUS / f"state-protocol-{protocol}.pickle").write_bytes(pickled_with_user(state, protocol))
