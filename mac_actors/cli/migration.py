"""The command that takes over what the old server knew."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import click

from mac_actors.cli.common import agree, in_or_at, own, read_settings
from mac_actors.cli.tables import out, plain, table
from mac_actors.core.outcomes import LockSet, OopsSet
from mac_actors.core.state import MachineState
from mac_actors.core.text import count, local_time
from mac_actors.imports.dm_mac.states import ImportPlan, Step, carry_out, make_plan, read_directory
from mac_actors.settings.files import parse
from mac_actors.storage.records import Unreadable
from mac_actors.storage.sqlite.engine import DATABASE
from mac_actors.storage.sqlite.files import hand_over
from mac_actors.storage.sqlite.lock import DirectoryLock
from mac_actors.storage.store import Store
from mac_actors.storage.upkeep.verify import reading, states

_DIRECTORY = click.Path(path_type=Path)


@click.command("import-dm-mac", short_help="Take over oopses and lock-outs from dm_mac.")
@click.argument("state_dir", type=_DIRECTORY)
@click.option("--state", type=_DIRECTORY, help="The state directory of this server (MACHINE_STATE_DIR).")
@click.option("--dry-run", is_flag=True, help="Show what would be taken over, and do nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Set what the old server says, though this one has run already.")
def import_dm_mac(state_dir: Path, state: Path | None, dry_run: bool, yes: bool, force: bool) -> None:
    """Take over oops, lock-outs and when each reader was last seen from STATE_DIR of the old server, dm_mac.

    Stop both servers first. Nothing in STATE_DIR is changed, and no machine starts by this. A machine whose old state
    can't be read is locked out, and the exit status is then 1.
    """
    settings = read_settings()
    place = settings.place if state is None else state
    machines = parse(settings.machines_config, []).machines
    now = datetime.now(UTC)
    found = read_directory(state_dir, now)
    if dry_run:
        plan = make_plan(machines, found, _states(place), now)
        _show(plan)
        _refuse(plan, force)
        click.echo("Nothing was changed (--dry-run).")
    else:
        os.umask(0o077)  # as for the server: fobs are in it
        with closing(own(place, settings)) as store:
            if isinstance(place, Path):
                for name in (DATABASE, DirectoryLock.NAME):  # root may have made them, for another user's server
                    hand_over(place / name, place)
            plan = make_plan(machines, found, store.load_states(), now)
            _show(plan)
            _refuse(plan, force)
            if plan.changes:
                agree(f"Take this over into {_where(place)}?", yes)
                carry_out(store, plan)
        _say_done(plan, _where(place))
    if plan.unreadable:
        why = "; ".join(f"{name} ({reason})" for name, reason in plan.unreadable.items())
        click.echo(f"Locked out, because the old state can't be read: {why}.", err=True)
        sys.exit(1)


def _refuse(plan: ImportPlan, force: bool) -> None:
    if not force:
        plan.refuse_conflicts()


def _where(place: Path | str) -> str:
    return in_or_at(place).removeprefix("in ")


def _states(place: Path | str) -> dict[str, MachineState | Unreadable]:
    if isinstance(place, str):
        with closing(Store.open(place)) as store:
            return store.load_states()
    database = place / DATABASE
    if not database.exists():
        return {}
    with reading(database) as connection:
        return dict(states(connection))


def _show(plan: ImportPlan) -> None:
    rows = table("Machine", "State", "Since", "Last seen", "")
    for step in plan.steps:
        rows.add_row(*_row(step))
    out.print(rows)
    if plan.unknown:
        click.echo(f"New, because the old server has nothing of them: {', '.join(plan.unknown)}.")
    if plan.foreign:
        click.echo(f"Left, because machines.json does not have them: {', '.join(plan.foreign)}.")


def _row(step: Step) -> tuple[str, ...]:
    name, old = step.machine.display_name, step.old
    what = "" if step.changed else "nothing to do"
    if isinstance(old, Unreadable):
        return name, "[yellow]LOCKED OUT[/]", "", "", what or plain(f"can't be read: {old.why}")
    flags = [word for word, is_set in (("OOPSED", old.oopsed), ("LOCKED OUT", old.locked)) if is_set]
    card = "its card must be taken out and put in again" if old.fob else ""
    since = _local(old.since) if flags else ""
    return name, ", ".join(flags) or "idle", since, _local(old.last_checkin), what or card


def _local(when: datetime | None) -> str:
    return local_time(when) if when else "never"


def _say_done(plan: ImportPlan, where: str) -> None:
    if not plan.changes:
        click.echo(f"{where} has all of this already; nothing was changed.")
        return
    outcomes = [outcome for step in plan.changes for outcome in step.outcomes]
    oopsed = sum(isinstance(outcome, OopsSet) for outcome in outcomes)
    locked = sum(isinstance(outcome, LockSet) for outcome in outcomes)
    machines = count(len(plan.changes), "machine")
    click.echo(
        f"Taken over into {where}: {machines}, {oopsed} of them oopsed, {locked} locked out. Start the server now."
    )
