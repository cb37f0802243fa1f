"""What the server writes to its log: readable lines, or JSON; outcomes as sentences."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from pathlib import Path

from mac_actors.core.outcomes import Outcome, SessionStarted, kind
from mac_actors.core.state import SecondDecision, SessionKind
from mac_actors.core.wording import full_text

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
    handler = logging.FileHandler(file, encoding="utf-8") if file else logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter()
        if style == "json"
        else TextFormatter("%(asctime)s %(levelname)-7s %(message)s", "%Y-%m-%d %H:%M:%S")
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.getLogger("pykka").setLevel(logging.WARNING)
    for chatty in ("slack_bolt", "slack_sdk", "websocket"):
        # They say the same every few seconds while Slack is away; we say it once. Their debug lines hold tokens.
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def log_outcome(outcome: Outcome) -> None:
    """Write an outcome to the log; a login without authorization is a warning."""
    warn = isinstance(outcome, SessionStarted) and (
        outcome.session is SessionKind.WARN_ONLY or outcome.second is SecondDecision.WARN
    )
    log.log(
        logging.WARNING if warn else logging.INFO,
        "%s",
        full_text(outcome),
        extra={"machine": outcome.machine, "kind": kind(outcome)},
    )
