"""What stands in machines.json, as models: they check it, and the reference is made of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from mac_actors.core.config import Limits, MachineConfig, Maintenance, Offline, SecondRelay, fold_name
from mac_actors.settings.strict import Authorization, Label, Strict, readable
from mac_actors.settings.variables import address_parts


def _channel(text: str) -> str:
    if not re.fullmatch(r"[CG][A-Z0-9]{2,}", text):
        raise ValueError("the id of a channel, which is at the end of its details in Slack and begins with C, no name")
    return text


def _while_away(seconds: float) -> float:
    if not 10 <= seconds <= 3600:
        raise ValueError("seconds, 10 to 3600")
    return seconds


def _not_empty(values: list[str]) -> list[str]:
    if not values:
        raise ValueError("at least one authorization")
    return values


def _minutes(value: float) -> float:
    if not 0 < value <= 7 * 24 * 60:
        raise ValueError("minutes, more than 0 and no more than 10080, a week")
    return value


def _amps(value: float) -> float:
    if not 0 < value <= 1000:
        raise ValueError("a current in A, more than 0 and no more than 1000")
    return value


def _text(text: str) -> str:
    readable(text.replace("\n", " "))
    return text


def _link(text: str) -> str:
    if not address_parts(text, "http", "https") or " " in text:
        raise ValueError("an address that begins with http:// or https://, without blanks")
    return text


def _hours(value: float) -> float:
    if not 0 < value <= 100_000:
        raise ValueError("hours, more than 0 and no more than 100000")
    return value


def _each_once(items: list[MaintenanceEntry]) -> list[MaintenanceEntry]:
    names = [fold_name(item.what) for item in items]
    if doubled := next((item.what for item in items if names.count(fold_name(item.what)) > 1), None):
        raise ValueError(f"each thing once, but {doubled!r} is there again")
    return items


Minutes = Annotated[float, AfterValidator(_minutes)]


class SecondRelayEntry(Strict):
    """``second_relay`` of a machine in machines.json."""

    authorizations_or: Annotated[list[Authorization], AfterValidator(_not_empty)] = Field(
        description="Not empty. A user with any one of them has the second relay too."
    )
    unauthorized_warn_only: bool = Field(
        default=False,
        description="``true``: a user without authorization has it all the same, and the admins are told.",
    )
    always_enabled: bool = Field(default=False, description="``true``: it is on whenever the first one is.")
    alias: Label | None = Field(default=None, description="The name that people see. It need not be unique.")

    def relay(self) -> SecondRelay:
        """Return the core's value for this entry."""
        return SecondRelay(
            authorizations_or=frozenset(self.authorizations_or),
            unauthorized_warn_only=self.unauthorized_warn_only,
            always_enabled=self.always_enabled,
            alias=self.alias,
        )


class OfflineEntry(Strict):
    """``offline`` of a machine in machines.json."""

    after_seconds: Annotated[float, AfterValidator(_while_away)] = Field(
        default=60,
        description="10 to 3600, better 30 or more: for so long nobody must have answered the reader, until the two "
        "below count.",
    )
    list: bool = Field(
        default=False,
        description="``true``: the reader keeps a list of the fobs that may run the machine, and lets them. It needs a "
        "key of its own (``mac-actors readers add``).",
    )
    on_loss: Literal["keep", "off"] = Field(
        default="keep", description="What becomes of a machine that runs by then: it goes on, or is switched off."
    )

    def offline(self) -> Offline:
        """Return the core's value for this entry."""
        return Offline(self.after_seconds, self.list, self.on_loss)


class MaintenanceEntry(Strict):
    """One thing of ``maintenance`` of a machine in machines.json."""

    what: Label = Field(description="What is to be done.")
    every_hours: Annotated[float, AfterValidator(_hours)] = Field(
        description="After how many hours with power it is due again."
    )
    lock: bool = Field(
        default=False,
        description="``true``: when it is due the machine is locked out, once no session runs. Not for one that is "
        "always enabled.",
    )


class MachineEntry(Strict):
    """One machine of machines.json."""

    authorizations_or: list[Authorization] = Field(description="A user with any one of them may run the machine.")
    unauthorized_warn_only: bool = Field(
        default=False,
        description="``true``: a user without authorization may run the machine all the same, and the admins are told.",
    )
    always_enabled: bool = Field(
        default=False, description="``true``: the machine has power without a fob, unless it is oopsed or locked."
    )
    alias: Label | None = Field(
        default=None,
        description="The name that people see and may use. No two names or aliases may be equal; case does not count.",
    )
    max_session_minutes: Minutes | None = Field(
        default=None,
        description="How long a session may be. The display says so five minutes before. After it the display says "
        "each time that time is up, and the control channel is told; the power stays on, unless ``cut`` is ``true``.",
    )
    idle_minutes: Minutes | None = Field(
        default=None,
        description="With ``cut`` and ``amps``: a session ends after so many minutes in which less current flows: "
        "a card was forgotten in the reader.",
    )
    amps: Annotated[float, AfterValidator(_amps)] | None = Field(
        default=None,
        description="For ``idle_minutes``: the current, in A, from which on the machine counts as running.",
    )
    maintenance: Annotated[list[MaintenanceEntry], AfterValidator(_each_once)] = Field(
        default=[],
        description="What is to be done again and again, by hours with power. A list of objects; their keys are below.",
    )
    cut: bool = Field(
        default=False,
        description="``true``: at these limits the session ends and the power goes off, under a running tool too.",
    )
    area: Annotated[str, StringConstraints(max_length=60), AfterValidator(readable)] | None = Field(
        default=None, description="Where it stands, for example ``Woodshop``: a heading and a filter on the board."
    )
    description: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_text)] | None = Field(
        default=None, description="What it is, for its page. Plain text; ``\\n`` begins a new line."
    )
    link: Annotated[str, StringConstraints(max_length=2000), AfterValidator(_link)] | None = Field(
        default=None, description="The address of its manual, ``http://`` or ``https://``, for its page."
    )
    second_relay: SecondRelayEntry | None = Field(
        default=None,
        description="For machines with a second relay. It is never on while the first is off. Its keys are below.",
    )
    offline: OfflineEntry | None = Field(
        default=None,
        description="What its reader does while the server does not answer. Its keys are below.",
    )
    trainers_or: list[Authorization] = Field(
        default=[],
        description="A user with any one of them is a trainer: may give others this machine's ``authorizations_or``, "
        "and its second relay's, on the board (:doc:`people`).",
    )

    slack_channel: Annotated[str, AfterValidator(_channel)] | None = Field(
        default=None,
        description="The id of an oops channel of its own: oopses, lock-outs and clears are posted there, and not in "
        "``SLACK_OOPS_CHANNEL_ID``. Several machines may have the same. The bot must be in it.",
    )

    @model_validator(mode="after")
    def _limits_are_whole(self) -> Self:
        if self.idle_minutes is not None and (self.amps is None or not self.cut):
            raise ValueError('"amps" and "cut": true beside idle_minutes')
        if self.amps is not None and self.idle_minutes is None:
            raise ValueError("idle_minutes beside amps")
        if self.always_enabled and any(item.lock for item in self.maintenance):
            raise ValueError('no "lock": true in maintenance of a machine that is always enabled: it is never free')
        if self.cut and self.max_session_minutes is None and self.idle_minutes is None:
            raise ValueError('max_session_minutes or idle_minutes beside "cut": true')
        return self

    def limits(self) -> Limits | None:
        """Return the core's value for the limits of its sessions."""
        if self.max_session_minutes is None and self.idle_minutes is None:
            return None
        return Limits(
            self.max_session_minutes and self.max_session_minutes * 60,
            self.idle_minutes and self.idle_minutes * 60,
            self.amps or 0.0,
            self.cut,
        )

    def config(self, name: str) -> MachineConfig:
        """Return the core's value for this entry."""
        return MachineConfig(
            name=name,
            authorizations_or=frozenset(self.authorizations_or),
            unauthorized_warn_only=self.unauthorized_warn_only,
            always_enabled=self.always_enabled,
            alias=self.alias,
            second_relay=self.second_relay.relay() if self.second_relay else None,
            slack_channel=self.slack_channel,
            offline=self.offline.offline() if self.offline else Offline(),
            limits=self.limits(),
            maintenance=tuple(Maintenance(one.what, one.every_hours * 3600, one.lock) for one in self.maintenance),
            area=self.area,
            description=self.description,
            link=self.link,
            trainers_or=frozenset(self.trainers_or),
        )


def name_clashes(machines: Mapping[str, MachineEntry]) -> Iterable[str]:
    """Say which names mean more than one machine."""
    owner = {fold_name(name): name for name in machines}
    for name, machine in machines.items():
        if machine.alias is None:
            continue
        other = owner.setdefault(fold_name(machine.alias), name)
        # A machine may have its own name, differently written, as its alias.
        if other != name:
            yield f"{name}.alias: expected a name of its own, but {machine.alias!r} also means {other}"
