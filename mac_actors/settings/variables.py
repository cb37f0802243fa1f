"""What each environment variable means, for the documentation and for the environment file. Read in ``environment``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Variable:
    """One environment variable: its default as it would be written, and what it is, in sentences."""

    name: str
    meaning: str
    default: str | None = None


FILES: Final = (
    Variable("MACHINES_CONFIG", "The file of the machines.", "machines.json"),
    Variable(
        "USERS_CONFIG",
        "The file of the users. ``mac-actors simulate`` takes fobs from it too.",
        "users.json",
    ),
    Variable(
        "MACHINE_STATE_DIR",
        "Where the server keeps its database. It is made if it is missing. One server at a time can use it. "
        "Back it up.",
        "machine_state",
    ),
)
"""Where the files are."""

SERVER: Final = (
    Variable(
        "MAC_HOST",
        "The address to listen on; also ``--host``. ``mac-actors demo`` takes ``127.0.0.1`` unless this is set.",
        "0.0.0.0",  # noqa: S104 - readers come from the network
    ),
    Variable("MAC_PORT", "The port to listen on; also ``--port``. The commands look for the server there.", "5000"),
    Variable(
        "MAC_URL",
        "For the commands alone: where the server is; also ``--url``. The default is ``http://127.0.0.1:`` and "
        "``MAC_PORT``.",
    ),
    Variable(
        "MAC_ADMIN_TOKEN",
        "The secret of the admins. While it is not set, admin calls are accepted from the server's own computer alone. "
        "The commands send it, so set it in their environment too. No spaces, plain ASCII.",
    ),
    Variable(
        "MAC_READER_TOKEN",
        "The secret of the readers. While it is not set, reports are open. No spaces, plain ASCII.",
    ),
    Variable(
        "MAC_PUBLIC_NAMES",
        "``1``: everybody who can reach the server sees users' names. ``0``: only callers with the admins' token do.",
        "0",
    ),
    Variable("MAC_TLS_CERT", "A certificate as a PEM file. Together with its key it turns the server to HTTPS."),
    Variable("MAC_TLS_KEY", "The certificate's key, as a PEM file."),
    Variable(
        "MAC_ENFORCE_EXPIRATION",
        "``1``: a user is refused after the day ``expiration_ymd`` has ended, local time. ``0``: expired users are let "
        "in, and the start says how many there are.",
        "0",
    ),
    Variable("MAC_COMMIT_BUDGET", "Seconds, 0 to 60, that an answer may wait until its change is on disk.", "0.25"),
    Variable(
        "MAC_MISSING_READERS",
        "Whose silence is told in the control channel after a minute: of readers that have been ``seen``, of ``all`` "
        "that are configured, or ``off``. Readers that fall silent within a minute of each other are told of together, "
        "and once more when they are back.",
        "seen",
    ),
    Variable(
        "MAC_RETENTION_DAYS",
        "A whole number from 1: names and fobs are removed from events that are older than so many days "
        "(:doc:`history`). Not set: they are kept.",
    ),
)
"""How the server serves."""

SLACK: Final = (
    Variable("SLACK_APP_TOKEN", "The app's token for Socket Mode (``xapp-…``). It turns Slack on."),
    Variable("SLACK_BOT_TOKEN", "The bot's token (``xoxb-…``)."),
    Variable("SLACK_SIGNING_SECRET", "The app's signing secret."),
    Variable("SLACK_CONTROL_CHANNEL_ID", "The channel of the admins. Names are said there."),
    Variable("SLACK_OOPS_CHANNEL_ID", "The channel for everybody. No names are said there."),
    Variable("SLACK_API_URL", "Optional: the base address of Slack's Web API, for proxies and for tests."),
)
"""Slack: all but the last are required once SLACK_APP_TOKEN is set."""

VARIABLES: Final = (*FILES, *SERVER, *SLACK)
