"""What slack.json makes of a notice: posted at once, held until when, or left out."""

from __future__ import annotations

import time as clock
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time

import pytest

from mac_actors.core.notices import (
    AUTHORIZATION,
    FOB,
    Channel,
    Notice,
    ThreadKey,
    account,
    member,
    notices,
    notifier_of,
    oops_channel,
    route,
    text_in,
)
from mac_actors.core.outcomes import FORGOTTEN, OopsSet, SessionRefused
from mac_actors.core.routing import AT_ONCE, SERVER, Mode, QuietHours, Routing
from mac_actors.core.state import Flag, Refusal, Source
from tests.core.examples import ANNA, MILL, T0, person


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The shop's time is not UTC."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    clock.tzset()
    yield
    monkeypatch.undo()
    clock.tzset()


def local(hours: int, minutes: int = 0, day: int = 2) -> datetime:
    """A time of day in the shop, without its zone, which is set by then."""
    return datetime(2026, 3, day, hours, minutes)


def at(hours: int, minutes: int = 0, day: int = 2) -> datetime:
    """The same, in UTC."""
    return local(hours, minutes, day).astimezone(UTC)


CONTROL, OOPS = Notice(Channel.CONTROL, "x"), Notice(Channel.OOPS, "x")
NIGHT = QuietHours(time(22), time(7))
NOON = QuietHours(time(12), time(13))


def due(routing: Routing, notice: Notice, kind: str, when: datetime) -> datetime | None:
    routed = route(notice, kind, when, routing)
    assert routed is not None
    return routed.due


def test_without_the_file_all_is_posted_at_once() -> None:
    for notice in (CONTROL, OOPS, Notice(member("U1"), "x")):
        assert route(notice, "session_started", T0, AT_ONCE) is notice


def test_a_kind_that_is_off_is_left_out_of_the_control_channel_alone() -> None:
    routing = Routing({"rebooted": Mode.OFF})
    assert route(CONTROL, "rebooted", T0, routing) is None
    assert route(CONTROL, "session_started", T0, routing) is CONTROL
    assert route(OOPS, "rebooted", T0, routing) is OOPS
    assert route(Notice(member("U1"), "x"), "rebooted", T0, routing)


@pytest.mark.parametrize(
    ("minutes", "when", "end"),
    [
        (60, local(14, 1), local(15)),
        (60, local(14), local(15)),
        (45, local(14, 59), local(15)),
        (1440, local(14), local(0, day=3)),
        (45, local(23, 50), local(0, day=3)),
        (7, local(0, 0), local(0, 7)),
    ],
)
def test_a_digest_is_due_at_the_end_of_its_stretch_of_the_day(minutes: int, when: datetime, end: datetime) -> None:
    assert due(
        Routing({"rebooted": Mode.DIGEST}, minutes), CONTROL, "rebooted", when.astimezone(UTC)
    ) == end.astimezone(UTC)


@pytest.mark.parametrize(
    ("quiet", "when", "end"),
    [
        (NIGHT, local(21, 59), None),
        (NIGHT, local(22), local(7, day=3)),
        (NIGHT, local(23, 59), local(7, day=3)),
        (NIGHT, local(6, 59), local(7)),
        (NIGHT, local(7), None),
        (NOON, local(12, 30), local(13)),
        (NOON, local(13), None),
        (NOON, local(11, 59), None),
        (QuietHours(time(8), time(8)), local(7, 59), local(8)),
    ],
)
def test_lines_wait_for_the_end_of_quiet_hours(quiet: QuietHours, when: datetime, end: datetime | None) -> None:
    routing = Routing(quiet=quiet)
    moment = when.astimezone(UTC)
    assert due(routing, CONTROL, "session_started", moment) == (end and end.astimezone(UTC))
    assert routing.is_quiet(moment) is (end is not None)
    assert not AT_ONCE.is_quiet(moment)


def test_quiet_hours_hold_nothing_but_what_they_name() -> None:
    night = at(23)
    assert due(Routing(quiet=NIGHT), CONTROL, SERVER, night) is None
    assert due(Routing(quiet=NIGHT), CONTROL, "oops_set", night) is None
    assert due(Routing(quiet=NIGHT), OOPS, "oops_set", night) is None
    assert due(Routing(quiet=NIGHT), Notice(member("U1"), "x"), "session_ended", night) is None
    held = Routing(quiet=QuietHours(time(22), time(7), frozenset({"oops_set"}), frozenset({"lock_set"})))
    assert due(held, CONTROL, "oops_set", night) == at(7, day=3)
    assert due(held, OOPS, "oops_set", night) is None
    for address in (Channel.OOPS, oops_channel("C0WOOD")):
        assert due(held, Notice(address, "x"), "lock_set", night) == at(7, day=3)


def test_a_digest_that_would_be_due_in_quiet_hours_waits_for_their_end() -> None:
    routing = Routing({"rebooted": Mode.DIGEST}, 60, NIGHT)
    assert due(routing, CONTROL, "rebooted", at(21, 30)) == at(7, day=3)
    assert due(routing, CONTROL, "rebooted", at(20, 30)) == at(21)


def test_what_belongs_to_an_incident_goes_into_its_thread_at_once() -> None:
    within = Notice(Channel.CONTROL, "x", within=(ThreadKey("m", "oops", T0),))
    for mode in Mode:
        assert route(within, "session_started", at(23), Routing({"session_started": mode}, quiet=NIGHT)) is within


def test_what_follows_upon_a_held_notice_comes_after_it() -> None:
    routing = Routing(quiet=QuietHours(time(22), time(7), oops=frozenset({"oops_set"})))
    end = at(7, day=3)
    for since, expected in ((at(23), end), (at(21), None)):
        key = ThreadKey("m", "oops", since)
        assert due(routing, Notice(Channel.OOPS, "x", closes=(key,)), "oops_cleared", at(23, 30)) == expected
        assert due(routing, Notice(Channel.OOPS, "x", within=(key,)), "lock_set", at(23, 30)) == expected
    lock = ThreadKey("m", "lock", at(23))
    assert due(routing, Notice(Channel.OOPS, "x", closes=(lock,)), "lock_cleared", at(23, 30)) is None


def refused(refusal: Refusal) -> SessionRefused:
    return SessionRefused(machine="m", display_name="M", at=T0, refusal=refusal, user=person(ANNA), fob="1")


@pytest.mark.parametrize(
    ("outcome", "flag"),
    [
        (replace(refused(Refusal.UNKNOWN), user=None), FOB),
        (replace(refused(Refusal.UNKNOWN), user=None, fob=""), None),
        (refused(Refusal.UNAUTHORIZED), AUTHORIZATION),
        (replace(refused(Refusal.UNAUTHORIZED), user=FORGOTTEN), None),
        (refused(Refusal.OOPSED), None),
    ],
)
def test_a_refusal_has_a_button_where_an_admin_can_remedy_it(outcome: SessionRefused, flag: str | None) -> None:
    (notice,) = notices(outcome)
    assert notice.asks == (ThreadKey("m", flag, T0) if flag else None)


def test_who_lacks_an_authorization_is_told_which_and_nobody_else() -> None:
    told = notices(refused(Refusal.UNAUTHORIZED), None, MILL)[1]
    assert told == Notice(
        "direct:@id-anna",
        "M did not start with your fob. It needs the authorization Milling, which you don't have yet.",
    )
    several = replace(MILL, authorizations_or=frozenset({"B", "A"}))
    assert "It needs one of A, B, which" in notices(refused(Refusal.UNAUTHORIZED), None, several)[1].text
    for outcome, config in (
        (refused(Refusal.EXPIRED), MILL),
        (refused(Refusal.UNAUTHORIZED), replace(MILL, authorizations_or=frozenset())),
    ):
        assert len(notices(outcome, None, config)) == 1


def test_what_everybody_is_told_goes_to_the_oops_channel_that_the_machine_has() -> None:
    config = replace(MILL, slack_channel="C0WOOD")
    flag = Flag(T0, Source.BUTTON)
    outcome = OopsSet(machine="m", display_name="M", at=T0, flag=flag, ended=None)
    assert [notice.channel for notice in notices(outcome, None, config)] == [Channel.CONTROL, "oops:C0WOOD"]
    assert [notice.text for notice in notices(outcome, None, config)] == [notice.text for notice in notices(outcome)]
    assert text_in("oops:C0WOOD", outcome) == "M is oopsed."


def test_all_direct_messages_have_one_notifier() -> None:
    assert {notifier_of(address) for address in (member("U1"), account("1"))} == {Channel.DIRECT}
    assert notifier_of(oops_channel("C0WOOD")) == "oops:C0WOOD"
    assert oops_channel() == notifier_of(Channel.OOPS) == Channel.OOPS
