"""One POST to a webhook, signed as the Standard Webhooks specification has it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from datetime import UTC, datetime
from http.client import HTTP_PORT, HTTPS_PORT, HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from standardwebhooks import Webhook

from mac_actors.core.config import WebhookConfig
from mac_actors.errors import ChatError, EventRefused
from mac_actors.version import VERSION

TIMEOUT_SECONDS = 5.0
"""How long connecting, and each step of the answer, may take."""

DEADLINE_SECONDS = 15.0
"""How long all of it may take: an answer that drips would be for ever."""

LONGEST_WAIT = 300.0
"""Seconds that a receiver may ask to be left alone for, at the most."""

ABOUT_THE_EVENT = frozenset({400, 409, 413, 415, 422, 500})
"""Statuses that say something of this event; any other one of a receiver that takes none now."""


def send(webhook: WebhookConfig, event_id: str, body: bytes) -> int:
    """Send an event; returns the status, 200 to 299, by which it was taken. No redirect is followed.

    Raises :class:`EventRefused` when this event was refused, and :class:`ChatError` when the receiver takes none now.
    Neither has the URL in its text: whoever knows it may send to it, too.
    """
    now = datetime.now(UTC)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"mac-actors/{VERSION}",
        "Connection": "close",
        "webhook-id": event_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(webhook.secret).sign(event_id, now, body.decode()),
    }
    try:
        status, wait = _post(webhook.url, headers, body)
    except (OSError, HTTPException, UnicodeError) as error:
        raise ChatError(f"no answer ({_reason(error)})") from error
    if 200 <= status < 300:
        return status
    if 300 <= status < 400:
        raise ChatError(f"answered {status}, a redirect, which is not followed: correct the url")
    if status in ABOUT_THE_EVENT:
        raise EventRefused(f"answered {status}")
    raise ChatError(f"answered {status}", _retry_after(wait))


def _post(url: str, headers: dict[str, str], body: bytes) -> tuple[int, str | None]:
    """Return the answer's status and its ``Retry-After``. Its body, which may be of any length, is not read."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https":
        context = ssl.create_default_context()  # the system's certificates, or those of SSL_CERT_FILE
        connection: HTTPConnection = HTTPSConnection(
            host, parts.port or HTTPS_PORT, timeout=TIMEOUT_SECONDS, context=context
        )
    else:
        connection = HTTPConnection(host, parts.port or HTTP_PORT, timeout=TIMEOUT_SECONDS)
    deadline = threading.Timer(DEADLINE_SECONDS, _cut, [connection])
    deadline.daemon = True
    deadline.start()
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # some answer before they have read all
            connection.request("POST", f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}", body, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.headers["Retry-After"]
    finally:
        deadline.cancel()
        connection.close()


def _cut(connection: HTTPConnection) -> None:
    with contextlib.suppress(OSError, AttributeError):  # closed already, or not connected yet
        connection.sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return f"it speaks no HTTP: {type(error).__name__}"


def _retry_after(text: str | None) -> float | None:
    try:
        return min(max(int(text or ""), 1), LONGEST_WAIT)
    except ValueError:
        return None
