"""``lock all`` and ``clear all``: done for each machine, once, when a member of the control channel has said yes."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

from mac_actors.actors.replies import Answer
from mac_actors.core.decision import Already
from mac_actors.core.inputs import COMMANDS, Lock
from mac_actors.core.outcomes import Cleared, LockPending, LockSet
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.text import count, one_line
from mac_actors.errors import MacError, StorageError
from mac_actors.slack.commands import Target, moment
from mac_actors.slack.gateway import PLAIN, call_quietly
from mac_actors.slack.handler import Handler, SlackContext
from mac_actors.slack.notices import ALL_ACTION, CANCEL_ACTION, button, escape, section, shorten
from mac_actors.slack.once import Once
from mac_actors.slack.people import SlackUser

EXPIRES_AFTER = timedelta(minutes=10)
"""How long it can be confirmed, and a form can be sent: later nobody knows any more what it was about."""

LONGEST_REASON = 400
"""Characters of a reason: it is kept in the button, which holds 2,000 characters or fewer in other scripts."""


class Bulk(Handler):
    """Asks, and does it. What was confirmed is in the post itself, so that a restart forgets nothing."""

    def __init__(self, context: SlackContext, once: Once) -> None:
        super().__init__(context)
        self._once = once
        self._lock = threading.Lock()
        self._pressed: dict[str, str] = {}

    def ask(self, command: str, target: Target, person: SlackUser, thread: str | None) -> None:
        """Post what would be done, with a button to confirm it."""
        labels = [machine.display_name for machine in self._fleet.snapshots() if _concerns(command, machine)]
        if not labels:
            what = "is oopsed or locked out" if command == "clear" else "is there that is not locked out already"
            self._replies.post([f"No machine {what}."], self._control, thread)
            return
        said, public = (reason and reason[:LONGEST_REASON] for reason in (target.reason, target.public_reason))
        question = _question(command, labels, said, person.name, when_free=target.when_free)
        value = json.dumps([command, said, public, target.when_free], ensure_ascii=False)
        label = f"{'Lock out' if command == 'lock' else 'Clear'} {count(len(labels), 'machine')}"
        buttons = [button(label, ALL_ACTION, value), button("Cancel", CANCEL_ACTION, "")]
        call_quietly(
            self._client.chat_postMessage,
            channel=self._control,
            thread_ts=thread,
            text=question,
            blocks=[section(question), {"type": "actions", "elements": buttons}],
            **PLAIN,
        )

    def press(self, body: dict[str, Any], action: dict[str, Any]) -> None:
        """Do what was asked for, or cancel it."""
        user, channel = str(body["user"]["id"]), str(body.get("channel", {}).get("id", ""))
        message = body.get("message") or {}
        post, asked = str(message.get("ts", "")), moment(message.get("ts"))
        if channel != self._control or asked is None:
            return
        if why := self._not_admitted(user):
            self._replies.respond(body, why)
            return
        person = self._people.get(user)
        if person.active is False:
            return
        key = f"all {channel} {post}"
        first = self._take(key, person.name)
        if first is not None:
            self._replies.whisper(channel, user, _pressed_text(first), message.get("thread_ts"))
            return
        if action.get("action_id") == CANCEL_ACTION:
            done = f"Cancelled by {person.name}: nothing was changed."
        elif datetime.now(UTC) - asked > EXPIRES_AFTER:
            done = "This was not confirmed within ten minutes: nothing was changed. Give the command again."
        else:
            done = self._carry_out(str(action.get("value", "")), person, asked)
        self._once.remember(key)
        self._say(post, done)

    def _take(self, key: str, name: str) -> str | None:
        """Return who pressed one of the buttons before; ``None``: nobody, and so nobody else will."""
        with self._lock:
            if key in self._pressed:
                return self._pressed[key]
            self._pressed[key] = name
            while len(self._pressed) > 1000:
                del self._pressed[next(iter(self._pressed))]
        try:
            return "" if self._fleet.store.has_seen(key) else None  # before the server was restarted
        except StorageError:
            return None  # each machine finds what is so already

    def _carry_out(self, value: str, person: SlackUser, asked: datetime) -> str:
        try:
            command, reason, public, when_free = json.loads(value)
            kind = COMMANDS[command]
        except (ValueError, KeyError, TypeError):
            return "The button was not understood: nothing was changed. Give the command again."
        results: dict[str, list[str]] = {}
        for machine in self._fleet.snapshots():
            if not _concerns(command, machine):
                continue
            target = Target(machine.name, reason, public, bool(when_free) and kind is Lock)
            try:
                answer = self._changes.make(command, target, person, asked)
            except MacError as error:
                result = f"NOT done ({one_line(error)})"
            else:
                result = _result(answer)
            results.setdefault(result, []).append(machine.display_name)
        return _results(person.name, results)

    def _say(self, post: str, done: str) -> None:
        """Have the question's post say what became of it, without its buttons."""
        text = escape(done)
        self._replies.change(self._control, post, text, [section(shorten(text))])


def _concerns(command: str, machine: Snapshot) -> bool:
    return machine.clearable if command == "clear" else machine.lock is None


def _question(command: str, labels: list[str], reason: str | None, name: str, *, when_free: bool) -> str:
    """Say what would be done, to which machines, and who wants it."""
    if command == "clear":
        what = f"Lift oops and lock-out of {_listed(labels)}? Those that are always enabled have power again at once."
    elif when_free:
        what = f"Lock {_listed(labels)} out for maintenance, each once it is free? Sessions that run go on."
    else:
        what = f"Lock {_listed(labels)} out for maintenance? Sessions that run end at once."
    why = f" Reason: {reason}." if reason else ""
    return escape(f"{what}{why} Wanted by {name}; this can be confirmed for ten minutes.")


def _listed(labels: list[str], characters: int = 2000) -> str:
    """Return how many machines there are, and which, as far as there is room."""
    names = ""
    for number, label in enumerate(labels):
        if len(names) + len(label) > characters:
            return f"{count(len(labels), 'machine')} ({names} and {len(labels) - number} more)"
        names += f", {label}" if names else label
    return f"{count(len(labels), 'machine')} ({names})"


def _result(answer: Answer) -> str:
    """Say what came of it at one machine, in words that are the same for all at which the same came of it."""
    late = "" if answer.durable else ", but not on disk yet"
    match answer.outcomes[:1]:
        case [LockSet()]:
            return f"Locked out{late}"
        case [LockPending()]:
            return f"To be locked out once it is free{late}"
        case [Cleared()]:
            return f"Cleared{late}"
    if Already.SET_SINCE in answer.already:
        return "NOT cleared, for an oops or lock-out was set after the question"
    return "So already"


def _results(name: str, results: dict[str, list[str]]) -> str:
    """Say what was done, machine by machine."""
    room = 3000 // max(1, len(results))
    lines = [f"{result}: {_listed(labels, room)}." for result, labels in results.items()]
    return "\n".join([f"Confirmed by {name}.", *(lines or ["There was nothing left to do."])])


def _pressed_text(name: str) -> str:
    """Say that somebody else has pressed a button of the same question."""
    return escape(f"{name or 'Somebody'} has pressed a button of this already: it is done once.")
