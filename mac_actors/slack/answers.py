"""What the bot says: texts and blocks. Pure. Everything that people typed is posted inert.

Inert: ``&``, ``<`` and ``>`` are escaped, so that nothing becomes a mention or a link, and formatting is
switched off where the text is posted (:mod:`mac_actors.slack.gateway`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from mac_actors.core.config import Configuration
from mac_actors.core.outcomes import Outcome
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag
from mac_actors.core.transitions import Already
from mac_actors.core.wording import Channel, count, duration, full_text, origin
from mac_actors.storage.records import Waiting

LATE = timedelta(seconds=60)
"""A notice older than this is posted with the time at which it happened."""

POST_CHARACTERS = 3500
"""Length of one post of a long answer: below the 4,000 that Slack shows well."""

MODAL_OPTIONS = 100
"""Entries that a menu in Slack can have."""

CLEAR_ACTION, LOCK_ACTION, CLEAR_VIEW = "mac_clear", "mac_lock", "mac_clear_modal"

HELP = """\
status (or list) – all machines; status NAME – one in detail (these two work in any channel that I am in)
oops NAME – mark a machine as broken: its power goes off at once
lock NAME – lock it out for maintenance: its power goes off at once
clear NAME – lift oops and lock-out
history NAME – what happened to it
help – this
A reason may follow a colon: oops Metal Mill: belt slips
NAME is a machine's name or alias; /oops-clear offers those that are oopsed or locked out."""


def escape(text: str) -> str:
    """Make a text inert for Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


# --- notices -----------------------------------------------------------------------------------------


def notice_text(notices: Sequence[Waiting], now: datetime) -> str:
    """Return the text of a post of one notice or of several, a line each; late ones with their time."""
    return "\n".join(_line(notice, now) for notice in notices)


def _line(notice: Waiting, now: datetime) -> str:
    text = escape(" ".join(notice.text.split()))
    return f"[{notice.at.astimezone():%Y-%m-%d %H:%M}] {text}" if now - notice.at > LATE else text


def notice_blocks(channel: Channel, notices: Sequence[Waiting], text: str) -> list[dict[str, Any]] | None:
    """Return the blocks of an oops in the control channel: its text and its buttons; ``None`` for all else."""
    opens = notices[0].opens if len(notices) == 1 else None
    if channel is not Channel.CONTROL or opens is None or opens.split(" ")[1] != "oops":
        return None
    return [section(text), buttons(opens, lock=True)]


def section(text: str) -> dict[str, Any]:
    """Return a block with a text in which nothing is formatted. ``text`` is escaped, as everywhere in blocks."""
    return {"type": "section", "text": {"type": "plain_text", "text": _unescaped(text)[:3000], "emoji": False}}


def _unescaped(text: str) -> str:
    # Slack shows a plain_text object letter by letter: entities would be seen as such
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def buttons(key: str, *, lock: bool) -> dict[str, Any]:
    """Return the buttons of an oops; ``key`` is its thread's, so that an old notice acts on no newer oops."""
    elements = [_button("Clear", CLEAR_ACTION, key)]
    if lock:
        elements.append(_button("Lock out", LOCK_ACTION, key))
    return {"type": "actions", "elements": elements}


def _button(label: str, action: str, value: str) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action,
        "value": value,
        "text": {"type": "plain_text", "text": label, "emoji": False},
    }


def pressed_blocks(text: str, done: str, key: str | None) -> list[dict[str, Any]]:
    """Return the blocks of a notice whose button was pressed: what was done by whom, and what is left to press."""
    note = {"type": "context", "elements": [{"type": "plain_text", "text": done[:2000], "emoji": False}]}
    return [section(text), note, *([buttons(key, lock=False)] if key else [])]


# --- answers -----------------------------------------------------------------------------------------


def already_text(shown: str, already: Iterable[Already]) -> str:
    """Say that a command changed nothing, and why."""
    found = tuple(already)
    what = _NEITHER if len(found) == 2 else " and ".join(_ALREADY[a] for a in found)
    return escape(f"{shown} {what}: nothing was changed.")


_NEITHER = "is neither oopsed nor locked out"

_ALREADY = {
    Already.OOPSED: "is oopsed already",
    Already.LOCKED_OUT: "is locked out already",
    Already.NOT_OOPSED: "is not oopsed",
    Already.NOT_LOCKED_OUT: "is not locked out",
}


def unknown_text(called: str, suggestions: Sequence[str]) -> str:
    """Say that a machine does not exist, with the nearest names."""
    if not called:
        return "Which machine? Its name comes after the command, for example: oops Metal Mill: belt slips"
    shown = called if len(called) <= 80 else called[:80] + "…"
    hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else " 'status' lists all machines."
    return escape(f"There is no machine called {shown}.{hint}")


def help_text(unknown: str = "") -> str:
    """Return the help, with a word about what was not understood."""
    first = f"I don't know the command {escape(unknown)}. " if unknown else ""
    return f"{first}Mention me first, and then, on the same line, one of these commands:\n{HELP}"


def elsewhere_text(verb: str) -> str:
    """Say that a command is not for this channel. Names no machine's state."""
    return (
        f"'{verb}' works in the admins' control channel alone. "
        "Here I answer to a mention with 'status' or 'status NAME'."
    )


def history_text(shown: str, outcomes: Sequence[Outcome]) -> str:
    """Return the last events of a machine, the newest first, with names."""
    if not outcomes:
        return escape(f"{shown}: nothing has happened yet.")
    lines = (f"{outcome.at.astimezone():%Y-%m-%d %H:%M}  {escape(full_text(outcome))}" for outcome in outcomes)
    return "\n".join((f"The last events of {escape(shown)}, newest first:", *lines))


def split(lines: Iterable[str]) -> list[str]:
    """Put lines together to posts that Slack shows whole."""
    posts: list[str] = []
    for line in lines:
        if posts and len(posts[-1]) + 1 + len(line) <= POST_CHARACTERS:
            posts[-1] += "\n" + line
        else:
            posts.append(line if len(line) <= POST_CHARACTERS else re.sub(r"&\w*$", "", line[:POST_CHARACTERS]))
    return posts


# --- status ------------------------------------------------------------------------------------------


def status_lines(
    machines: Sequence[Snapshot], configuration: Configuration, started: datetime, now: datetime, *, names: bool
) -> list[str]:
    """Return all machines, what is wrong first, then in use, then idle; and a line about the server."""
    wrong, silent, used, idle = _sorted(machines)
    lines = [_flagged_line(m, now, names=names) for m in wrong]
    lines += [f"{_shown(m)}: OFFLINE, its reader is silent{_since(m.last_checkin, now)}{_doing(m)}" for m in silent]
    lines += [_used_line(m, now, names=names) for m in used]
    lines += [
        f"{_shown(m)}: idle{_since(m.status_since, now)}"
        + (", power on" if m.relay else "")
        + ("" if m.last_checkin else ", its reader was never seen")
        for m in idle
    ]
    return [*(lines or ["There are no machines yet."]), _server_line(configuration, started, now)]


def _sorted(machines: Sequence[Snapshot]) -> tuple[list[Snapshot], list[Snapshot], list[Snapshot], list[Snapshot]]:
    wrong, silent, used, idle = [], [], [], []
    for machine in machines:
        if machine.oops or machine.lock:
            wrong.append(machine)
        elif machine.last_checkin and not machine.online:
            silent.append(machine)
        elif machine.session:
            used.append(machine)
        else:
            idle.append(machine)
    return wrong, silent, used, idle


def machine_lines(machine: Snapshot, now: datetime, *, names: bool) -> list[str]:
    """Return one machine in detail."""
    lines = [status_lines_of(machine, now, names=names)]
    lines.append(f"power is {'on' if machine.relay else 'off'}" + (", second relay on" if machine.second_relay else ""))
    telemetry = machine.telemetry
    facts = {
        "up for": duration(telemetry.uptime) if telemetry.uptime is not None else None,
        "Wi-Fi": f"{telemetry.wifi_signal_percent:g} %" if telemetry.wifi_signal_percent is not None else None,
        "temperature": f"{telemetry.internal_temperature_c:.0f} °C"
        if telemetry.internal_temperature_c is not None
        else None,
        "current": f"{telemetry.amps:g} A" if telemetry.amps else None,
    }
    known = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    seen = f"last report {_ago(machine.last_checkin, now)} ago" if machine.last_checkin else "never seen"
    lines.append("reader: " + ", ".join(filter(None, (seen, known))))
    return lines


def status_lines_of(machine: Snapshot, now: datetime, *, names: bool) -> str:
    """Return one machine in one line."""
    if machine.oops or machine.lock:
        line = _flagged_line(machine, now, names=names)
    elif machine.session:
        line = _used_line(machine, now, names=names)
    else:
        line = f"{_shown(machine)}: idle{_since(machine.status_since, now)}"
    return line + (", OFFLINE" if machine.last_checkin and not machine.online else "")


def _flagged_line(machine: Snapshot, now: datetime, *, names: bool) -> str:
    flags = [
        f"{word}{_flag(flag, now, names)}"
        for word, flag in (("OOPSED", machine.oops), ("LOCKED OUT", machine.lock))
        if flag
    ]
    silent = ", reader silent" if machine.last_checkin and not machine.online else ""
    override = ", running by override" if machine.session else ""
    return f"{_shown(machine)}: {'; '.join(flags)}{override}{silent}"


def _flag(flag: Flag, now: datetime, names: bool) -> str:
    reason = f": {flag.reason}" if flag.reason else ""
    return escape(f" for {_ago(flag.since, now)}{origin(flag.source, flag.by if names else None)}{reason}")


def _used_line(machine: Snapshot, now: datetime, *, names: bool) -> str:
    session = machine.session
    who = f" by {escape(session.full_name)}" if session and names else ""
    kind = f" ({session.kind.replace('_', ' ')})" if session and session.kind != "authorized" else ""
    return f"{_shown(machine)}: in use{who}{kind}{_since(session.since if session else None, now)}"


def _doing(machine: Snapshot) -> str:
    return " (a session was running)" if machine.session else ""


def _server_line(configuration: Configuration, started: datetime, now: datetime) -> str:
    users = configuration.directory.users
    fobs = sum(len(user.fob_codes) for user in users)
    file = configuration.users_mtime
    age = f", users file {_ago(file, now)} old" if file else ""
    return f"Server up for {_ago(started, now)}; {count(len(users), 'user')} with {count(fobs, 'fob')}{age}."


def _shown(machine: Snapshot) -> str:
    return escape(machine.display_name)


def _since(when: datetime | None, now: datetime) -> str:
    return f" for {_ago(when, now)}" if when else ""


def _ago(when: datetime, now: datetime) -> str:
    return duration(max(0.0, (now - when).total_seconds()))


# --- the modal of /oops-clear ------------------------------------------------------------------------


def clear_modal(machines: Sequence[Snapshot], now: datetime) -> dict[str, Any]:
    """Return the modal with a menu of the machines that are oopsed or locked out."""
    options = [
        {
            "value": machine.name,
            "text": {
                "type": "plain_text",
                "text": _unescaped(status_lines_of(machine, now, names=False))[:75],
                "emoji": False,
            },
        }
        for machine in machines[:MODAL_OPTIONS]
    ]
    return {
        "type": "modal",
        "callback_id": CLEAR_VIEW,
        "title": {"type": "plain_text", "text": "Clear a machine"},
        "submit": {"type": "plain_text", "text": "Clear"},
        "close": {"type": "plain_text", "text": "Cancel"},
        "blocks": [
            {
                "type": "input",
                "block_id": "machine",
                "label": {"type": "plain_text", "text": "Machine"},
                "element": {"type": "static_select", "action_id": "name", "options": options},
            }
        ],
    }
