"""What stands in slack.json, as models: they check it, and the reference is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, ValidationError

from mac_actors.core.routing import FLAGS, LINES, USUAL, Mode, QuietHours, Routing
from mac_actors.errors import ConfigError
from mac_actors.settings.problems import excerpt, problem
from mac_actors.settings.strict import Strict


def _line(kind: str) -> str:
    if kind not in LINES:
        raise ValueError(f"one of {', '.join(LINES)}")
    return kind


def _any_kind(kind: str) -> str:
    if kind not in LINES + FLAGS:
        raise ValueError(f"one of {', '.join(LINES + FLAGS)}")
    return kind


def _flag(kind: str) -> str:
    if kind not in FLAGS:
        raise ValueError(f"one of {', '.join(FLAGS)}")
    return kind


def _time(text: str) -> str:
    if not re.fullmatch("([01][0-9]|2[0-3]):[0-5][0-9]", text):  # 22.30 is not half a second past ten
        raise ValueError("a time of the day like 22:00")
    return text


Time = Annotated[str, AfterValidator(_time)]
Days = Annotated[float, Field(gt=0, le=3650, strict=False)]


class QuietEntry(Strict):
    """``quiet_hours`` of slack.json."""

    start: Time = Field(alias="from", description="When they begin, in the shop's time, for example ``22:00``.")
    until: Time = Field(alias="to", description="When they end; an earlier time is on the next day.")
    control_channel: list[Annotated[str, AfterValidator(_any_kind)]] = Field(
        default=list(USUAL),
        description=f"The kinds that are held in the control channel; else {', '.join(f'``{k}``' for k in USUAL)}.",
    )
    oops_channel: list[Annotated[str, AfterValidator(_flag)]] = Field(
        default=[],
        description="The kinds that are held in the oops channels: none, unless you say so. What ends, or belongs to, "
        "an oops or a lock-out that is held is held with it. Before any other notice of the same machine that is "
        "posted meanwhile, what is held of it is posted, too.",
    )


class ReminderEntry(Strict):
    """``remind_after_days`` of slack.json."""

    oops: Days | None = Field(default=None, description="Days after which it is asked whether an oops is to stay.")
    lock: Days | None = Field(default=None, description="The same for a lock-out.")


class SlackEntry(Strict):
    """slack.json."""

    lines: dict[Annotated[str, AfterValidator(_line)], Literal["now", "digest", "off"]] = Field(
        default={},
        description=f"What becomes of lines of the control channel, by kind ({', '.join(f'``{k}``' for k in LINES)}): "
        "``now``, as without this file; ``digest``, many in one post; ``off``, the journal alone has them. ``server`` "
        "is what the server says of itself and of readers. What belongs to an oops or lock-out always goes into its "
        "thread.",
    )
    digest_minutes: int = Field(
        default=60, ge=1, le=1440, description="How often the digest is posted, in minutes, counted from midnight."
    )
    quiet_hours: QuietEntry | None = Field(
        default=None, description="When less is posted: what is held is posted at their end. Its keys are below."
    )
    remind_after_days: ReminderEntry | None = Field(
        default=None,
        description="After how many days, and again after as many, it is asked in the thread of an oops or a lock-out "
        "whether it is to stay. Not in quiet hours. Its keys are below.",
    )

    def routing(self) -> Routing:
        """Return the core's value for this file."""
        quiet, remind = self.quiet_hours, self.remind_after_days
        days = {"oops": remind.oops, "lock": remind.lock} if remind else {}
        return Routing(
            {kind: Mode(mode) for kind, mode in self.lines.items()},
            self.digest_minutes,
            QuietHours(
                time.fromisoformat(quiet.start),
                time.fromisoformat(quiet.until),
                frozenset(quiet.control_channel),
                frozenset(quiet.oops_channel),
            )
            if quiet
            else None,
            {flag: timedelta(days=number) for flag, number in days.items() if number},
        )


def read_slack(data: object, problems: list[str]) -> dict[str, SlackEntry]:
    """Check the file; what is wrong goes to ``problems``. Returns its one entry, if that is right."""
    if not isinstance(data, Mapping):
        keys = ", ".join(SlackEntry.model_fields)
        raise ConfigError([f"expected an object with some of the keys {keys}, not {excerpt(data)}"])
    try:
        return {"": SlackEntry.model_validate(dict[str, Any](data))}
    except ValidationError as error:
        found = [problem("", details).removeprefix(".") for details in error.errors(include_url=False)]
        problems += [line.replace(".[key]", "", 1) for line in found]
        return {}
