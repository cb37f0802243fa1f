"""The commands that find and change users at a running server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import click

from mac_actors.cli.common import by_option, connect, json_option, show_json, url_option
from mac_actors.cli.days import Day
from mac_actors.cli.tables import out, plain, table
from mac_actors.client.users import UsersClient
from mac_actors.core.text import local_time

WHO = "WHO is an account id, an e-mail address or a full name."


_until = click.option("--until", metavar="DAY", type=Day(), help="The last day, as 2027-03-31.  [default: for good]")
_reason = click.option("--reason", help="Why; for admins.")


def _users(url: str | None) -> UsersClient:
    return UsersClient(connect(url))


def _body(by: str | None, reason: str | None) -> dict[str, Any]:
    return {"by": by, "reason": reason, "source": "cli"}


@click.command(short_help="Find users by parts of name, e-mail address or account id.")
@click.argument("text", nargs=-1)
@json_option
@url_option
def find(text: tuple[str, ...], as_json: bool, url: str | None) -> None:
    """Find the users who have all words of TEXT in name, e-mail address or account id; without TEXT, all.

    Parts of words are enough; case and accents do not count.
    """
    found = _users(url).find(" ".join(text))
    if as_json:
        show_json({"users": found})
        return
    rows = table("Account", "Name", "E-mail", "Until", "Fobs", "Authorizations")
    for one in found:
        names = ", ".join(
            item["name"] + (f" (until {item['until']})" if item["until"] else "") for item in one["authorizations"]
        )
        fobs = ", ".join(f"…{item['code'][-4:]}" for item in one["fobs"])
        cells = (one["account_id"], one["full_name"], one["email"], one["expiration_ymd"] or "", fobs, names)
        rows.add_row(*map(plain, cells))
    out.print(rows) if found else click.echo("Nobody is found.")


@click.command(short_help="Show a user: fobs and authorizations, and where they come from.", epilog=WHO)
@click.argument("who")
@json_option
@url_option
def show(who: str, as_json: bool, url: str | None) -> None:
    """Show a user: fobs and authorizations, where they come from, and what was taken away or withdrawn."""
    user = _users(url).show(who)
    if as_json:
        show_json(user)
        return
    _print(user)


@click.command(short_help="Add a user who is not in users.json.")
@click.argument("full_name")
@click.option("--preferred-name", help="What the reader's display shows.  [default: the full name]")
@click.option("--email", help="By it they are found in users.json, once they are there.")
@click.option("--expires", metavar="DAY", type=Day(), help="The last day of the membership, as 2027-03-31.")
@click.option("--fob", metavar="CODE", help="The number of their fob.")
@_reason
@by_option
@url_option
def add(
    full_name: str,
    preferred_name: str | None,
    email: str | None,
    expires: date | None,
    fob: str | None,
    reason: str | None,
    by: str | None,
    url: str | None,
) -> None:
    """Add a user who is not in users.json (yet)."""
    body = _body(by, reason) | {"full_name": full_name, "preferred_name": preferred_name, "email": email, "fob": fob}
    answer = _users(url).add(body | {"expiration_ymd": expires and expires.isoformat()})
    _said(answer, f"{answer['full_name']} is added, with the account id {answer['account_id']}")
    _print(answer)


@click.command(short_help="Give a user a fob, or take one away.", epilog=WHO)
@click.argument("who")
@click.argument("code", required=False)
@click.option("--seen-at", metavar="MACHINE", help="The unknown fob that was held to this machine within 10 minutes.")
@click.option("--take", is_flag=True, help="Take the fob CODE away: it counts no more, whatever users.json says.")
@_reason
@by_option
@url_option
def fob(
    who: str,
    code: str | None,
    seen_at: str | None,
    take: bool,
    reason: str | None,
    by: str | None,
    url: str | None,
) -> None:
    """Give the fob CODE to the user WHO, or the one that was just held to a machine; or take one away."""
    if (code is None) == (seen_at is None) or (take and code is None):
        raise click.UsageError("Say which fob: its number, or --seen-at with a machine (to be given alone).")
    users, body = _users(url), _body(by, reason)
    if take and code:
        answer = users.take_fob(who, code, body)
        _said(answer, f"The fob counts no more for {answer['full_name']}")
        for user in (outcome["outcome"]["user"] for outcome in answer["outcomes"]):
            if user["account_id"] != answer["account_id"]:
                click.echo(f"Nor for {user['full_name']} ({user['account_id']}), to whom it was given at the server.")
    else:
        answer = users.give_fob(who, body | {"code": code, "seen_at": seen_at})
        _said(answer, f"{answer['full_name']} has the fob")


def _changing(name: str, change: Callable[..., dict[str, Any]], short_help: str, done: str) -> click.Command:
    @click.command(name, short_help=short_help, epilog=WHO)
    @click.argument("who")
    @click.argument("authorization")
    @_until
    @_reason
    @by_option
    @url_option
    def run(
        who: str, authorization: str, until: date | None, reason: str | None, by: str | None, url: str | None
    ) -> None:
        answer = change(_users(url), who, authorization, until, _body(by, reason))
        _said(answer, f"{answer['full_name']} {done} {authorization}{f' until {until}' if until else ''}")

    run.help = short_help
    return run


authorize = _changing("authorize", UsersClient.grant, "Authorize a user, for good or until a day.", "is authorized for")
withdraw = _changing(
    "withdraw",
    UsersClient.withdraw,
    "Withdraw a user's authorization, whatever users.json says, for good or until a day.",
    "is not authorized for",
)


def _said(answer: dict[str, Any], text: str) -> None:
    so = " already; nothing was changed" if answer["already"] else ""
    late = "" if answer.get("durable", True) else " (not on disk yet: the server's disk is slow)"
    click.echo(f"{text}{so}{late}.")


def _time(at: str | None) -> str:
    return local_time(datetime.fromisoformat(at)) if at else ""


def _print(user: dict[str, Any]) -> None:
    added = ", added at the server" if user["added"] else ""
    until = f", member until {user['expiration_ymd']}" if user["expiration_ymd"] else ""
    email = f", {user['email']}" if user["email"] else ""
    click.echo(f"{user['full_name']} ({user['account_id']}{added}{until}{email})")
    rows = table("", "", "From", "By", "When", "Until")
    for what, key, name in (
        ("fob", "fobs", "code"),
        ("authorization", "authorizations", "name"),
        ("fob taken away", "fobs_taken", "code"),
        ("withdrawn", "withdrawn", "name"),
    ):
        for item in user[key]:
            cells = (what, item[name], item["source"], item["by"] or "", _time(item["at"]), item["until"] or "")
            rows.add_row(*map(plain, cells))
    out.print(rows)
