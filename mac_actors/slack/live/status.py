"""Keeps the state of every machine in the oops channel: in a canvas, or in a message where there are none."""

from __future__ import annotations

import json
import logging
import time
from typing import Any, NamedTuple

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from mac_actors.core.backoff import Backoff
from mac_actors.core.changed import Changed
from mac_actors.errors import StorageError
from mac_actors.fleet.fleet import MachineFleet
from mac_actors.slack.gateway import PLAIN, error_code, explain
from mac_actors.slack.live import words
from mac_actors.storage.records import Record

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0
"""How often it is looked whether something has changed."""

PACE_SECONDS = 2.5
"""Between two changes: Slack takes fifty a minute, and the notices need some of them."""

RETRY = 5.0, 60.0
"""Seconds until what Slack has not taken is tried again: doubled from the first to the last."""

ANEW_SECONDS = 3600.0
"""How often at the most there is a new message where none can be changed: everybody is told of each."""

NOTE = "slack live status"
"""The note of where it is kept."""

_TITLE = "Machines"
_NO_CANVASES = frozenset(
    {
        "team_tier_cannot_create_channel_canvases",
        "canvas_disabled_user_team",
        "free_teams_cannot_create_non_tabbed_canvases",
        "free_team_canvas_tab_already_exists",
        "restricted_action",
    }
)
_GONE = frozenset({"canvas_not_found", "canvas_deleted", "message_not_found"})
_AS_IT_IS = frozenset({"edit_window_closed", "cant_update_message"})
_OFF = frozenset({"missing_scope", "unknown_method"})


class Place(NamedTuple):
    """A ``canvas`` or a ``message`` of the bot's own."""

    kind: str
    channel: str
    id: str


class LiveStatus:
    """Writes what is so now, each time that it has changed; the latest state wins. For one thread.

    ``channel``: the oops channel's id. What has to do with Slack raises what the SDK raises.
    """

    def __init__(self, fleet: MachineFleet, client: WebClient, channel: str) -> None:
        self._fleet, self._client, self._channel = fleet, client, channel
        self._shown: words.Rows | None = None
        self._place: Place | None = None
        self._known = False
        self._pinned = False
        self._off = False
        self._due = 0.0
        self._anew_at = 0.0
        self._backoff = Backoff(*RETRY)
        self._trouble = Changed(None)

    def step(self) -> None:
        """Write what has changed, if it is time; a refusal is said in the log, once, and tried again later."""
        now = time.monotonic()
        if self._off or now < self._due:
            return
        shown = words.rows(self._fleet.snapshots())
        if shown == self._shown:
            return
        self._due = now + PACE_SECONDS
        try:
            self._write(shown)
        except (SlackApiError, OSError, ValueError) as error:
            self._refused(error)
            return
        except StorageError:
            return  # the disk's trouble is said already
        self._shown = shown
        self._backoff.reset()
        self._trouble(None)

    def _write(self, shown: words.Rows) -> None:
        if not self._known:
            self._place = self._remembered()
            self._known = True
        if self._place is None:
            self._make(shown)
        elif self._place.kind == "canvas":
            self._edit(self._place.id, shown)
        else:
            call = self._client.chat_update
            call(channel=self._channel, ts=self._place.id, text=words.message(shown), parse="none", link_names=False)
            self._pin(self._place.id)

    def _refused(self, error: Exception) -> None:
        code = error_code(error)
        if code in _GONE:
            log.warning("the live status in the oops channel is gone (%s): it is made anew", code)
            self._keep(None)
        elif code in _AS_IT_IS:
            log.warning("the live status in the oops channel can't be changed (%s): once an hour it is made anew", code)
            self._due = max(self._due, self._anew_at)
            self._keep(None)
        elif code in _NO_CANVASES and self._place and self._place.kind == "canvas":
            log.warning("the live status can no longer be a canvas (%s): it becomes a message", code)
            self._keep(None)
        elif code in _OFF:
            self._off = True
            log.info("there is no live status in the oops channel (%s): it needs the scope canvases:write", code)
        else:
            refusal = explain(error)
            wait = self._backoff.next() if refusal.retry_after is None else refusal.retry_after
            self._due = time.monotonic() + wait
            if self._trouble(str(refusal)) and isinstance(error, SlackApiError):  # all else is said of the connection
                log.warning("the live status in the oops channel waits: %s", refusal)

    def _make(self, shown: words.Rows) -> None:
        """Begin it: in the channel's canvas, if there is none yet; else in another one; else in a message."""
        content = {"type": "markdown", "markdown": words.markdown(shown)}
        try:
            try:
                call = self._client.conversations_canvases_create
                made = call(channel_id=self._channel, document_content=content, title=_TITLE)
            except SlackApiError as error:
                if error_code(error) != "channel_canvas_already_exists":
                    raise
                if ours := self._our_canvas():  # made just before the server was killed, or the answer was lost
                    self._edit(ours, shown)
                    self._keep(Place("canvas", self._channel, ours))
                    return
                made = self._client.canvases_create(title=_TITLE, channel_id=self._channel, document_content=content)
            self._keep(Place("canvas", self._channel, str(made["canvas_id"])))
        except SlackApiError as error:
            if error_code(error) not in _NO_CANVASES:
                raise
            log.info("there can be no canvas (%s): the live status is a message", error_code(error))
            posted = self._client.chat_postMessage(channel=self._channel, text=words.message(shown), **PLAIN)
            self._keep(Place("message", self._channel, str(posted["ts"])))
            self._anew_at = time.monotonic() + ANEW_SECONDS
            self._pin(str(posted["ts"]))

    def _our_canvas(self) -> str | None:
        """Return the channel's canvas if it is one that this server made: people's own are never written to."""
        info: Any = self._client.conversations_info(channel=self._channel)["channel"]
        canvas = ((info.get("properties") or {}).get("canvas") or {}).get("file_id")
        if not canvas:
            return None
        found = self._client.canvases_sections_lookup(canvas_id=canvas, criteria={"contains_text": words.KEPT})
        return str(canvas) if found.get("sections") else None

    def _edit(self, canvas: str, shown: words.Rows) -> None:
        content = {"type": "markdown", "markdown": words.markdown(shown)}
        self._client.canvases_edit(canvas_id=canvas, changes=[{"operation": "replace", "document_content": content}])

    def _pin(self, post: str) -> None:
        if not self._pinned:
            self._pinned = True
            try:
                self._client.pins_add(channel=self._channel, timestamp=post)
            except (SlackApiError, OSError, ValueError) as error:
                if error_code(error) != "already_pinned":
                    log.info("the live status is not pinned: %s", explain(error))

    def _keep(self, place: Place | None) -> None:
        self._place, self._pinned = place, False
        self._fleet.journal.record(Record(notes=((NOTE, json.dumps(place)),)))

    def _remembered(self) -> Place | None:
        try:
            place = Place(*json.loads(self._fleet.store.note(NOTE) or "null"))
        except (ValueError, TypeError):
            return None
        return place if place.channel == self._channel else None
