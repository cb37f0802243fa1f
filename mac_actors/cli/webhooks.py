"""The command that tries the webhooks."""

from __future__ import annotations

import json
import sys
import time
import uuid
from datetime import UTC, datetime

import click

from mac_actors.cli.common import read_settings
from mac_actors.errors import ChatError, ConfigError
from mac_actors.settings.files import load
from mac_actors.webhooks.sender import send


@click.group(short_help="webhooks test: do the receivers take events?")
def webhooks() -> None:
    """Look after the webhooks."""


@webhooks.command("test", short_help="Send each webhook, or one, an event of the kind test.")
@click.argument("name", required=False)
def webhooks_test(name: str | None) -> None:
    """Send the webhook NAME, or each one, an event of the kind "test", signed as all are, and say what was answered."""
    settings = read_settings()
    if settings.webhooks is None:
        raise ConfigError(["MAC_WEBHOOKS is not set, so there are no webhooks: docs/webhooks.rst says how to begin"])
    known = load(settings).webhooks
    if name is not None and name not in known:
        raise ConfigError([f"{settings.webhooks}: there is no webhook {name!r}, but {', '.join(known) or 'none'}"])
    failed = False
    for webhook in [known[name]] if name else known.values():
        at, began = datetime.now(UTC), time.monotonic()
        event = {"id": 0, "at": at.isoformat(), "kind": "test", "text": "A test by mac-actors webhooks test."}
        try:
            status = send(webhook, f"test_{uuid.uuid4().hex}", json.dumps(event).encode())
            click.echo(f"ok      {webhook.name}: answered {status} after {time.monotonic() - began:.2f} s")
        except ChatError as error:
            failed = True
            click.secho(f"WRONG   {webhook.name}: {error}", fg="red")
    if failed:
        sys.exit(1)
