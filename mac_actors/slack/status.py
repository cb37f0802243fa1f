"""What ``status`` answers, and the modal of ``/oops-clear``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from mac_actors.core.config import Configuration
from mac_actors.core.snapshot import Snapshot
from mac_actors.core.state import Flag, Session, SessionKind
from mac_actors.core.text import count, duration, reader_text
from mac_actors.core.wording import details_text, origin
from mac_actors.slack.answers import split
from mac_actors.slack.notices import CLEAR_VIEW, escape, unescape

MODAL_OPTIONS = 100
"""Entries that a menu in Slack can have."""


def status_posts(machines: Sequence[Snapshot], server: Sequence[str], now: datetime) -> list[str]:
    """Return all machines, what is wrong first, then in use, then idle; and the lines about the server.

    It is one post where all fits into one. Else the first has what is wrong and in use, and idle ones follow.
    """
    ranked = sorted((_ranked_line(machine, now) for machine in machines), key=itemgetter(0))
    lines = [line for _, line in ranked] or ["There are no machines yet."]
    posts = split([*lines, *server])
    if len(posts) == 1:
        return posts
    idle = [line for rank, line in ranked if rank == _IDLE]
    note = [f"{count(len(idle), 'idle machine')}: in the thread."] if idle else []
    return [*split([*lines[: len(lines) - len(idle)], *server, *note]), *split(idle)]


_FLAGGED, _SILENT, _USED, _IDLE = range(4)


def _ranked_line(machine: Snapshot, now: datetime) -> tuple[int, str]:
    """Return the line of a machine, and its rank among those of the others."""
    contact = _pending(machine, now) + _contact(machine, now) + _refused(machine)
    if machine.oops or machine.lock:
        return _FLAGGED, _flagged_line(machine, now) + contact
    if machine.last_checkin and not machine.online:
        running = " (a session was running)" if machine.session else ""
        return _SILENT, f"{_label(machine)}: OFFLINE{contact}{running}"
    if machine.session:
        return _USED, _used_line(machine, machine.session, now) + contact
    power = ", power on" if machine.relay else ""
    return _IDLE, f"{_label(machine)}: idle{_since(machine.status_since, now)}{power}{contact}"


def _contact(machine: Snapshot, now: datetime) -> str:
    """Say when the machine's reader was last heard of."""
    if machine.last_checkin is None:
        return ", its reader was never seen"
    if not machine.online:
        return f", its reader is silent{_since(machine.last_checkin, now)}"
    return f", last contact {_ago(machine.last_checkin, now)} ago"


def _refused(machine: Snapshot) -> str:
    return ", its reader's reports are REFUSED: it can't be stopped from here" if machine.refused else ""


def machine_lines(machine: Snapshot, now: datetime) -> list[str]:
    """Return one machine in detail."""
    lines = [status_line(machine, now)]
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
    reader = reader_text(
        telemetry.firmware,
        telemetry.poke,
        machine.obeyed_after,
        keyed=machine.keyed,
        alone=machine.offline.told(telemetry.list_revision),
    )
    seen = f"last report {_ago(machine.last_checkin, now)} ago" if machine.last_checkin else "never seen"
    lines.append("reader: " + ", ".join(filter(None, (seen, known, escape(reader or "")))))
    return lines


def status_line(machine: Snapshot, now: datetime) -> str:
    """Return one machine in one line."""
    if machine.oops or machine.lock:
        line = _flagged_line(machine, now)
    elif machine.session:
        line = _used_line(machine, machine.session, now)
    else:
        line = f"{_label(machine)}: idle{_since(machine.status_since, now)}"
    offline = ", OFFLINE" if machine.last_checkin and not machine.online else ""
    due = escape(f"; MAINTENANCE DUE: {', '.join(machine.maintenance_due)}") if machine.maintenance_due else ""
    return line + _pending(machine, now) + due + offline + _refused(machine)


def _flagged_line(machine: Snapshot, now: datetime) -> str:
    flags = [
        f"{word}{_flag(flag, now)}" for word, flag in (("OOPSED", machine.oops), ("LOCKED OUT", machine.lock)) if flag
    ]
    override = ", running by override" if machine.session else ""
    if machine.details:
        flags.append(escape(details_text(machine.details, names=True)))
    return f"{_label(machine)}: {'; '.join(flags)}{override}"


def _pending(machine: Snapshot, now: datetime) -> str:
    return f"; TO BE LOCKED OUT once it is free{_flag(machine.lock_pending, now)}" if machine.lock_pending else ""


def _flag(flag: Flag, now: datetime) -> str:
    reason = f": {flag.reason}" if flag.reason else ""
    return escape(f"{_since(flag.since, now)}{origin(flag.source, flag.by)}{reason}")


def _used_line(machine: Snapshot, session: Session, now: datetime) -> str:
    who = f" by {escape(session.full_name)}" if session.full_name else ""
    kind = f" ({session.kind.replace('_', ' ')})" if session.kind is not SessionKind.AUTHORIZED else ""
    return f"{_label(machine)}: in use{who}{kind}{_since(session.since, now)}"


def server_line(configuration: Configuration, started: datetime, now: datetime) -> str:
    """Say how long the server has been up, and whom it knows."""
    users = configuration.directory.users
    fobs = sum(len(user.fob_codes) for user in users)
    file = configuration.users_mtime
    age = f", users file {_ago(file, now)} old" if file else ""
    return f"Server up for {_ago(started, now)}; {count(len(users), 'user')} with {count(fobs, 'fob')}{age}."


def _label(machine: Snapshot) -> str:
    return escape(machine.display_name)


def _since(when: datetime, now: datetime) -> str:
    return f" for {_ago(when, now)}"


def _ago(when: datetime, now: datetime) -> str:
    return duration(max(0.0, (now - when).total_seconds()))


def clear_modal(machines: Sequence[Snapshot], now: datetime) -> dict[str, Any]:
    """Return the modal with a menu of the machines that are oopsed or locked out."""
    options = [
        {
            "value": machine.name,
            "text": {
                "type": "plain_text",
                "text": unescape(status_line(machine.without_names(), now))[:75],
                "emoji": False,
            },
        }
        for machine in machines[:MODAL_OPTIONS]
    ]
    return {
        "type": "modal",
        "callback_id": CLEAR_VIEW,
        "private_metadata": str(now.timestamp()),
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
