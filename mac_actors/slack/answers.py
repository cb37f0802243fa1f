"""What the bot says: texts and blocks. Pure. Everything that people typed is posted inert.

Inert: ``&``, ``<`` and ``>`` are escaped, so that nothing becomes a mention or a link, and formatting is
switched off where the text is posted (:mod:`mac_actors.slack.gateway`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from mac_actors.core.config import User
from mac_actors.core.decision import Already
from mac_actors.core.notices import ThreadKey
from mac_actors.core.outcomes import Cleared, Outcome
from mac_actors.core.text import local_time
from mac_actors.core.wording import end_text, full_text
from mac_actors.slack.notices import escape

POST_CHARACTERS = 3500
"""Length of one post of a long answer: below the 4,000 that Slack shows well."""

MISTAKE = "The server made a mistake; its log says which. Look at the status, then try again."

HELP = """\
status (or list) – all machines; status NAME – one in detail
notify me NAME – a direct message to you, once, when it is free (this and status work in any channel that I am in)
oops NAME – mark a machine as broken: its power goes off at once
lock NAME – lock it out for maintenance: its power goes off at once
lock NAME when free – the same once its session has ended; until then nobody is disturbed
clear NAME – lift oops and lock-out
done NAME: what – maintenance was done; status says what there is to do
lock all, clear all – the same for all machines, once somebody has confirmed it
history NAME – what happened to it
link @MEMBER ACCOUNT – say who a member of Slack is: account id, e-mail address or full name in users.json
unlink @MEMBER – say that this is nobody in users.json
help – this
A reason may follow a colon: oops Metal Mill: belt slips
NAME is a machine's name or alias; /oops-clear offers those that are oopsed or locked out."""


def already_text(label: str, already: Iterable[Already]) -> str:
    """Say that a command changed nothing, and why."""
    found = tuple(already)
    what = _NEITHER if len(found) == 2 else " and ".join(_ALREADY[a] for a in found)
    return escape(f"{label} {what}: nothing was changed.")


_NEITHER = "is neither oopsed nor locked out"

_ALREADY = {
    Already.OOPSED: "is oopsed already",
    Already.LOCKED_OUT: "is locked out already",
    Already.LOCK_PENDING: "is to be locked out already, once it is free",
    Already.NO_SUCH_MAINTENANCE: "has no such maintenance: say what was done, as status has it",
    Already.NOT_OOPSED: "is not oopsed",
    Already.NOT_LOCKED_OUT: "is not locked out",
}


def unknown_text(name: str, suggestions: Sequence[str]) -> str:
    """Say that a machine does not exist, with the nearest names."""
    if not name:
        return "Which machine? Its name comes after the command, for example: oops Metal Mill: belt slips"
    label = name if len(name) <= 80 else name[:80] + "…"
    hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else " 'status' lists all machines."
    return escape(f"There is no machine called {label}.{hint}")


def help_text(unknown: str = "") -> str:
    """Return the help, with a word about what was not understood."""
    first = f"I don't know the command {escape(unknown)}. " if unknown else ""
    return f"{first}Mention me first, and then, on the same line, one of these commands:\n{HELP}"


LINK_USAGE = "Mention the member, then say who it is: link @MEMBER ACCOUNT, or unlink @MEMBER. Nothing was changed."


def linked_text(member: str, who: str, users: Sequence[User]) -> str:
    """Say that a Slack user is linked with the only one of ``users``; or that it is not clear who is meant."""
    if len(users) == 1:
        return escape(f"{member} is {users[0].full_name} (account {users[0].account_id}) from now on.")
    if users:
        listed = ", ".join(f"{user.account_id} ({user.full_name})" for user in users[:10])
        return escape(f"{who[:80]} may be any of {listed}: say which by account id. Nothing was changed.")
    return escape(
        f"Nobody in users.json has the account id, e-mail address or full name {who[:80]}. Nothing was changed."
    )


def unlinked_text(member: str) -> str:
    """Say that a Slack user is nobody from now on."""
    return escape(f"{member} is linked with nobody from now on, whatever the e-mail address; 'link' changes that.")


def not_linkable_text(member: str) -> str:
    """Say that this is no person, or no longer a member."""
    return escape(f"{member} is a bot or deactivated, and can't be linked: nothing was changed.")


NOT_A_MEMBER = "Only members of the control channel may do this: nothing was changed."

MEMBERS_UNKNOWN = (
    "Slack can't say at the moment who is in the control channel: nothing was changed. Try again in half a minute; "
    "commands that are written there work meanwhile."
)


def set_since_text(line: str) -> str:
    """Say that a clear came late, and so changed nothing; ``line`` is the machine's state."""
    return (
        "Nothing was changed: an oops or lock-out was set after this clear was given. "
        f"{line}. Look at the machine first; then clear it."
    )


FORM_EXPIRED = (
    "This form was opened too long ago: nothing was changed, for more may have happened since. "
    "Open it anew: /oops-clear"
)


def over_text(key: ThreadKey, cleared: Cleared | None, *, names: bool) -> str:
    """Say that a button belongs to an oops or a lock that is over, and how that ended."""
    what = {"oops": "oops", "lock": "lock-out"}.get(key.flag, "matter")
    ended = f" {end_text(key.since, cleared, names=names)}" if cleared else ""
    return escape(f"This {what} is over already: nothing was changed.{ended}")


NOT_DUE = "This maintenance is not due any more: nothing was changed."


def elsewhere_text(verb: str = "") -> str:
    """Say that a command (if it was one) is not for this channel. Names no machine's state."""
    what = f"'{verb}' works" if verb else "Commands work"
    here = "'status', 'status NAME' or 'notify me NAME'"
    return f"{what} in the admins' control channel alone. Here I answer to a mention with {here}."


def notify_text(label: str, already: Iterable[Already], *, off: bool) -> str:
    """Say whether somebody will be told when a machine is free."""
    end = f" To be told no longer: notify me off {label}"
    match [*already], off:
        case [Already.FREE], _:
            text = f"{label} is free now."
        case [Already.WAITING], _:
            text = f"You will be told when {label} is free: you have asked for that already.{end}"
        case [Already.NOT_WAITING], _:
            text = f"You have not asked to be told about {label}, or have been told."
        case _, True:
            text = f"You will not be told when {label} is free."
        case _:
            text = f"You will get a direct message, once, when {label} is free.{end}"
    return escape(text)


def history_text(label: str, outcomes: Sequence[Outcome]) -> str:
    """Return the last events of a machine, the newest first, with names."""
    if not outcomes:
        return escape(f"{label}: nothing has happened yet.")
    lines = (f"{local_time(outcome.at)}  {escape(full_text(outcome))}" for outcome in outcomes)
    return "\n".join((f"The last events of {escape(label)}, newest first:", *lines))


def split(lines: Iterable[str], longest: int = POST_CHARACTERS) -> list[str]:
    """Put lines together to posts (or blocks) that Slack shows whole, of so many characters at the most."""
    posts: list[str] = []
    for line in lines:
        if posts and len(posts[-1]) + 1 + len(line) <= longest:
            posts[-1] += "\n" + line
        else:
            posts.append(line if len(line) <= longest else re.sub(r"&\w*$", "", line[:longest]))
    return posts
