"""Follows one report through the real server, so that the diagram of its way can't be wrong."""

from __future__ import annotations

import io
import json
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from mac_actors.actors.notifier import PrintedChat
from mac_actors.core.notices import Channel
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.settings import Tokens
from mac_actors.settings.files import parse
from mac_actors.storage.records import Waiting
from mac_actors.storage.store import Store
from mac_actors.web.access import Access
from mac_actors.web.api.readers import ReportCalls
from mac_actors.web.app import create_app

ETC = Path(__file__).parents[2] / "etc"

STATIONS = {
    "MainThread": (
        "the thread that waits for clients",
        [
            "ReportCalls.begin",
            "parse_body",
            "SharedInbox.stand_in",
            "MachineActor.on_receive",
            "decide",
            "authorize",
            "outputs",
            "notices",
            "Journal.record",
            "Publisher.announce",
            "ReportCalls.answer",
            "reply_body",
        ],
    ),
    "journal": ("the journal's actor", ["Journal.drain", "Store.commit", "Latch.open", "Outgoing.wake"]),
    "control notifier": ("a channel's notifier", ["ChannelNotifier.drain", "Store.waiting", "Chat.post"]),
}
"""Thread -> what it is, and the functions on the way that are worth a box."""


class Chat(PrintedChat):
    """Says when a notice was posted."""

    def __init__(self) -> None:
        super().__init__(lambda _: None)
        self.posted = threading.Event()

    def post(self, channel: Channel, notices: Sequence[Waiting], thread: str | None) -> None:
        super().post(channel, notices, thread)
        self.posted.set()


def trace_report() -> dict[str, list[str]]:
    """The stations by thread, in the order in which they were reached. Raises ``LookupError`` if one was not."""
    reached: dict[str, list[str]] = {thread: [] for thread in STATIONS}
    following = threading.Event()

    def look(frame: FrameType, event: str, _: object) -> None:
        if (
            event == "call"
            and following.is_set()
            and frame.f_globals.get("__name__", "").startswith(("mac_actors.", __name__))
        ):
            name = frame.f_code.co_qualname.rpartition("<locals>.")[2]
            calls = reached.get(threading.current_thread().name.split("-")[0])
            if calls is not None and name not in calls:
                calls.append(name)

    threading.setprofile(look)
    before = sys.getprofile()
    sys.setprofile(look)
    try:
        with TemporaryDirectory() as directory:
            chat = Chat()
            configuration = parse(ETC / "machines.json", ETC / "users.json")
            fleet = MachineFleet(configuration, Store.open(Path(directory)), chat=chat)
            try:
                app = create_app(fleet, Access(Tokens()), lambda **_: configuration)
                _report(app.reports, "")
                following.set()
                _report(app.reports, "1000001")
                if not chat.posted.wait(30):
                    raise LookupError("the notifier posted nothing")
            finally:
                following.clear()
                fleet.close()
    finally:
        threading.setprofile(None)
        sys.setprofile(before)
    ways = {}
    for thread, (title, stations) in STATIONS.items():
        missing = set(stations) - set(reached[thread])
        if missing:
            raise LookupError(f"a report no longer comes by {', '.join(sorted(missing))}: mend STATIONS in {__name__}")
        ways[title] = [name for name in reached[thread] if name in stations]
    return ways


def _report(calls: ReportCalls, fob: str) -> None:
    body = json.dumps({"machine_name": "metal-mill", "oops": False, "rfid_value": fob, "uptime": 5}).encode()
    call = calls.begin({"REMOTE_ADDR": "127.0.0.1", "wsgi.input": io.BytesIO(body)})
    if call.due():
        on_disk = threading.Event()
        call.then(on_disk.set)
        on_disk.wait(30)
    calls.answer(call)
