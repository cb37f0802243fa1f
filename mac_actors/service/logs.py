"""What the server writes to its log: readable lines, or JSON; outcomes as sentences."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from mac_actors.core.outcomes import Outcome, SessionStarted, kind
from mac_actors.core.state import SecondDecision, SessionKind
from mac_actors.core.wording import full_text
from mac_actors.service.log_queue import LogQueue

log = logging.getLogger("mac_actors.outcomes")


class TextFormatter(logging.Formatter):
    """Readable lines. What callers sent can't look like another line, nor command a terminal."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the line with control characters written out, and lines that belong to it indented."""
        line = "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in super().formatMessage(record))
        return line.replace("\n", "\n    ")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: at, level, logger, message, and machine and kind where there are."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key in ("machine", "kind") if (value := getattr(record, key, None))}
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def set_up(level: str = "info", style: str = "text", file: Path | None = None) -> None:
    """Log to standard error (or to the end of ``file``) from ``level`` on, as ``text`` or ``json``."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    handler = LogQueue(os.open(file, flags, 0o600) if file else 2)
    handler.setFormatter(
        JsonFormatter()
        if style == "json"
        else TextFormatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Tracebacks of threads and warnings go the same way: Python's own would wait for whoever reads standard error.
    threading.excepthook = lambda ended: log.critical("the thread %s ended", ended.thread, exc_info=ended.exc_value)
    logging.captureWarnings(capture=True)
    logging.getLogger("pykka").setLevel(logging.WARNING)
    for chatty in ("slack_bolt", "slack_sdk", "websocket"):
        # They say the same every few seconds while Slack is away; we say it once. Their debug lines hold tokens.
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def lines_left_out() -> Counter[str]:
    """Return how many lines were not written, by reason: ``unwritable``, ``repeated``."""
    return sum((queue.left_out for queue in _queues()), Counter())


def write_out() -> None:
    """Write what waits, before an end that skips what Python does at its end."""
    for queue in _queues():
        queue.close()


def _queues() -> list[LogQueue]:
    return [one for one in logging.getLogger().handlers if isinstance(one, LogQueue)]


def log_outcome(outcome: Outcome) -> None:
    """Write an outcome to the log; a login without authorization is a warning."""
    warn = isinstance(outcome, SessionStarted) and (
        outcome.session is SessionKind.WARN_ONLY or outcome.second is SecondDecision.WARN
    )
    level = logging.WARNING if warn else logging.INFO
    if log.isEnabledFor(level):
        log.log(level, "%s", full_text(outcome), extra={"machine": outcome.machine, "kind": kind(outcome)})
