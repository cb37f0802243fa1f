"""What the reader is told: derived from configuration and state, never stored, so that they can't disagree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from mac_actors.core.config import MachineConfig
from mac_actors.core.inputs import Report
from mac_actors.core.phrases import Phrase, phrase
from mac_actors.core.readable import Readable
from mac_actors.core.reports import has_rebooted, is_heartbeat
from mac_actors.core.state import MachineState, Refusal, SecondDecision, SessionKind, TimeLimit

LCD_COLUMNS = 16
"""Characters a line of the readers' two-line display."""

RGB = tuple[float, float, float]

GREEN: RGB = (0.0, 1.0, 0.0)
RED: RGB = (1.0, 0.0, 0.0)
ORANGE: RGB = (1.0, 0.5, 0.0)
DARK: RGB = (0.0, 0.0, 0.0)

SECOND_ON = frozenset({SecondDecision.GRANTED, SecondDecision.WARN, SecondDecision.ALWAYS_ENABLED})

REFUSED: dict[Refusal, tuple[Phrase, RGB]] = {
    Refusal.UNKNOWN: (phrase("Unknown RFID"), RED),
    Refusal.EXPIRED: (phrase("Membership\nexpired"), ORANGE),
    Refusal.UNAUTHORIZED: (phrase("Unauthorized"), ORANGE),
}

TIME = {
    TimeLimit.SOON: phrase("Under 5 min left\nthen card out"),
    TimeLimit.OVER: phrase("Time is up!\nRemove your card"),
}

ENGLISH: Mapping[str, str] = {}
"""The texts of the display in another language, by the English ones: here none."""


@dataclass(frozen=True, slots=True, repr=False)
class Outputs(Readable):
    """The reply to a reader, field by field as its firmware reads it (brightness 0 to 1, display two lines of 16).

    ``always_on``, for firmware that says what it is alone: taking the card out must not stop the machine.
    """

    relay: bool
    display: str
    oops_led: bool
    status_led_rgb: RGB
    status_led_brightness: float
    second_relay: bool
    always_on: bool = False


def relay_on(config: MachineConfig, state: MachineState) -> bool:
    """Whether the machine has power."""
    if state.session is not None:
        return not state.flagged or state.session.kind is SessionKind.OVERRIDE
    return config.always_enabled and not state.flagged


def second_relay_on(config: MachineConfig, state: MachineState) -> bool:
    """Whether the second relay is on: never without the first."""
    second = config.second_relay
    if second is None or not relay_on(config, state):
        return False
    if state.session is not None:
        # decided with the session and kept until it ends, whatever the configuration says by now
        return state.session.second in SECOND_ON
    return second.always_enabled


def outputs(config: MachineConfig, state: MachineState, texts: Mapping[str, str] = ENGLISH) -> Outputs:
    """Derive all outputs of a machine, the display in the language of these texts."""
    shown, rgb = _shown(config, state)
    template = texts.get(shown.template, shown.template)
    lines = (line.format(**shown.values) for line in template.split("\n")[:2])
    return Outputs(
        relay=relay_on(config, state),
        display="\n".join(lcd_line(line) for line in lines if line),
        oops_led=state.oops is not None,
        status_led_rgb=rgb,
        status_led_brightness=0.0 if rgb == DARK else 0.5,
        second_relay=second_relay_on(config, state),
        always_on=config.always_enabled and not state.flagged,
    )


def kept_outputs(
    config: MachineConfig, state: MachineState, report: Report, texts: Mapping[str, str] = ENGLISH
) -> Outputs:
    """Return what is told to a reader whose report does not count: what is so, but nothing is to start by it.

    Power stays only where the report has nothing against it.
    """
    now = outputs(config, state, texts)
    as_before = is_heartbeat(state, report) or (now.always_on and not report.oops)
    if as_before and not has_rebooted(state, report):
        return now
    return replace(now, relay=False, second_relay=False)


def _shown(config: MachineConfig, state: MachineState) -> tuple[Phrase, RGB]:
    """Display and light: the first situation that fits."""
    session, card = state.session, state.card
    if session is not None and session.kind is SessionKind.OVERRIDE:
        return phrase("OVERRIDE BY\n{name}", name=session.lcd_name), GREEN
    if state.oops is not None:
        return phrase("Oops!! Please\ncheck/post Slack"), RED
    if state.lock is not None:
        return phrase("Down for\nmaintenance"), ORANGE
    if config.always_enabled:
        return phrase("Always On"), GREEN
    if session is not None and session.time_limit is not None:
        return TIME[session.time_limit], ORANGE
    if session is not None:
        return phrase("Welcome,\n{name}", name=session.lcd_name), GREEN
    if card is None:
        return phrase("Please Insert\nRFID Card"), DARK
    if card.blocked or card.refusal is None:
        return phrase("Remove card and\ninsert it again"), ORANGE
    return REFUSED[card.refusal]


@lru_cache(maxsize=1024)
def lcd_line(text: str) -> str:
    r"""Cut a line to what an HD44780 draws: 16 characters of plain ASCII without ``\`` and ``~``."""
    drawable = (" " if c.isspace() else c if " " <= c < "\x7f" else "?" for c in text)
    return "".join(drawable).replace("\\", "/").replace("~", "-")[:LCD_COLUMNS].strip()
