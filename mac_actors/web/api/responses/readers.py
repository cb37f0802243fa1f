"""What readers are told, and what is told of them, as JSON."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from mac_actors.web.api.request_models import Body, is_none


class OutputsBody(Body):
    """The reply to a report: what the reader is to do."""

    relay: bool
    display: str = Field(description="two lines of 16 characters at the most")
    oops_led: bool
    status_led_rgb: tuple[float, float, float]
    status_led_brightness: float
    second_relay: bool
    always_on: bool = Field(
        False, description="for firmware that says what it is alone: taking the card out must not stop the machine"
    )
    nonce: str | None = Field(
        None, exclude_if=is_none, description="for a reader with a key alone: for its next report"
    )
    applied: bool = Field(
        True,
        exclude_if=bool,
        description="only there, false, where the report's nonce was an old one or missing: the report does not count, "
        "nothing is to start by this reply, and the reader reports again at once",
    )
    list_revision: int | None = Field(
        None,
        serialization_alias="list",
        exclude_if=is_none,
        description="for a reader with a key and `offline.list` alone: the revision of its list as it is now",
    )
    offline: OfflineRulesBody | None = Field(
        None,
        exclude_if=is_none,
        description="for firmware that says what it is alone, where machines.json has `offline`",
    )


class OfflineRulesBody(Body):
    """What a reader does once nobody has answered it for ``after_seconds``."""

    after_seconds: float
    on_loss: str = Field(description="`keep` or `off`: what becomes of a machine that runs by then")
    taken: list[int] = Field(default=[], description="the report's `offline` sessions that need not be told again")


class FobListBody(Body):
    """Whose fobs may start a machine while the server does not answer."""

    machine: str
    revision: int = Field(description="another one for another content; it rises")
    lifetime_seconds: float = Field(description="for how long it is good")
    oops: bool
    lock: bool
    fobs: list[str] = Field(
        description="of each fob in its normal form the first 6 bytes of its HMAC-SHA256 with the reader's key, as "
        "hexadecimal digits; none while the machine is oopsed or locked out; at most 500, or none"
    )


class ReaderKeyBody(Body):
    """A reader's key. It is shown this once."""

    machine: str
    key: str = Field(description="256 bits as 64 hexadecimal digits")


class KeyStateBody(Body):
    """What is known of a reader's key, but never the key."""

    since: datetime
    last_used: datetime | None = Field(description="null: not yet")
    rotating_since: datetime | None = Field(description="since when a new one waits for its first use")


class ReaderBody(Body):
    """A machine's reader."""

    machine: str
    display_name: str
    key: KeyStateBody | None = Field(description="null: it reports unsigned")
    firmware: str | None = None
    last_checkin: datetime | None = None
    gone: bool = Field(
        default=False,
        exclude_if=lambda gone: not gone,
        description="only there, true, with a key of no machine any more",
    )


class ReadersBody(Body):
    """All readers, in the order of machines.json."""

    readers: list[ReaderBody]


class PokedBody(Body):
    """Whether a reader did report at once."""

    seconds: float | None = Field(description="from the poke to its report; null: none came within 2 s")
    native_api: bool = Field(description="its firmware takes no pokes, and its native API was looked at instead")
