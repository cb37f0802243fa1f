"""The sentences made of outcomes, and the channels that are told."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mac_actors.core import outcomes, wording
from mac_actors.core.decision import Decision
from mac_actors.core.inputs import Input
from mac_actors.core.notices import Channel, Notice, ThreadKey, notices
from mac_actors.core.outcomes import (
    KINDS,
    AuthorizationGranted,
    AuthorizationWithdrawn,
    CardSeen,
    Cleared,
    DetailsAdded,
    Ended,
    EndReason,
    FobGiven,
    FobTaken,
    LockPending,
    LockSet,
    MachineOutcome,
    OopsSet,
    Outcome,
    PendingCleared,
    Person,
    PowerChanged,
    Rebooted,
    Reported,
    SessionEnded,
    SessionRefused,
    SessionStarted,
    UserAdded,
    UserChanged,
)
from mac_actors.core.redaction import EVERYBODY, Redaction, without, without_names
from mac_actors.core.state import Details, Flag, Refusal, SecondDecision, SessionKind, Severity, Source
from mac_actors.core.text import duration, local_time
from mac_actors.core.transitions import decide
from mac_actors.core.wording import end_text, full_text, public_text
from tests.core.examples import (
    ANNA,
    BOTH,
    MILL,
    OTTO,
    PEOPLE,
    T0,
    after,
    clear,
    fresh,
    lock,
    oops,
    report,
    run,
    unlock,
    unoops,
    with_card,
)

ANNA_ADLER = Person("id-anna", "Anna Adler")
WHO = "Ada Admin"
FOB = "0000004711"
NAME = "Metal Mill"


def ended(reason: EndReason, kind: SessionKind = SessionKind.AUTHORIZED) -> Ended:
    return Ended(ANNA_ADLER, kind, T0, 754.0, reason)


def started(session: SessionKind, second: SecondDecision, alias: str | None = None) -> SessionStarted:
    return SessionStarted(
        machine="metal-mill",
        display_name=NAME,
        at=T0,
        user=ANNA_ADLER,
        session=session,
        second=second,
        second_alias=alias,
        fob=FOB,
    )


def refused(refusal: Refusal, user: Person | None = ANNA_ADLER, *also: Refusal) -> SessionRefused:
    return SessionRefused(
        machine="metal-mill", display_name=NAME, at=T0, refusal=refusal, also=also, user=user, fob=FOB
    )


def session_ended(reason: EndReason, kind: SessionKind = SessionKind.AUTHORIZED) -> SessionEnded:
    return SessionEnded(machine="metal-mill", display_name=NAME, at=T0, ended=ended(reason, kind))


def card_seen(user: Person | None) -> CardSeen:
    return CardSeen(machine="metal-mill", display_name=NAME, at=T0, user=user, fob=FOB)


def rebooted(cut: Ended | None, *, card_blocked: bool) -> Rebooted:
    return Rebooted(machine="metal-mill", display_name=NAME, at=T0, ended=cut, card_blocked=card_blocked)


def oops_set(flag: Flag, cut: Ended | None = None, card: Person | None = None) -> OopsSet:
    return OopsSet(machine="metal-mill", display_name=NAME, at=T0, flag=flag, ended=cut, card=card)


def lock_set(flag: Flag, cut: Ended | None = None, card: Person | None = None) -> LockSet:
    return LockSet(machine="metal-mill", display_name=NAME, at=T0, flag=flag, ended=cut, card=card)


def cleared(
    *,
    oops: bool,
    lock: bool,
    still_oopsed: bool = False,
    still_locked: bool = False,
    power_on: bool = False,
    by: str | None = WHO,
    reason: str | None = "mended",
) -> Cleared:
    return Cleared(
        machine="metal-mill",
        display_name=NAME,
        at=T0,
        oops=Flag(T0, Source.BUTTON) if oops else None,
        lock=Flag(T0, Source.CLI, WHO, "belt") if lock else None,
        source=Source.SLACK,
        by=by,
        reason=reason,
        still_oopsed=still_oopsed,
        still_locked=still_locked,
        power_on=power_on,
    )


def changed(kind: type[UserChanged], *, confirmed: bool = True, by: str | None = WHO, **facts: Any) -> Outcome:
    return kind(at=T0, user=ANNA_ADLER, source=Source.HTTP, by=by, reason="course.", confirmed=confirmed, **facts)


USER_CHANGES = [
    changed(UserAdded),
    changed(FobGiven, fob=FOB),
    changed(FobTaken, fob=FOB),
    changed(AuthorizationGranted, authorization="laser"),
    changed(AuthorizationWithdrawn, authorization="laser"),
]


def reported(by: str | None, text: str = "the fence is loose. ") -> Reported:
    return Reported(machine="metal-mill", display_name=NAME, at=T0, text=text, by=by)


def lock_pending(flag: Flag) -> LockPending:
    return LockPending(machine="metal-mill", display_name=NAME, at=T0, flag=flag, user=ANNA_ADLER)


def pending_cleared() -> PendingCleared:
    lifted = cleared(oops=False, lock=False)
    return PendingCleared(**{f.name: getattr(lifted, f.name) for f in fields(lifted)} | {"pending": FLAGS[0]})


def details(severity: Severity, reason: str = "bearing is loud.", public: str | None = None) -> DetailsAdded:
    found = Details(T0, Source.SLACK, WHO, reason, public, None, severity)
    return DetailsAdded(machine="metal-mill", display_name=NAME, at=T0, details=found)


def power(*, on: bool) -> PowerChanged:
    return PowerChanged(machine="metal-mill", display_name=NAME, at=T0, on=on)


FLAGS = [Flag(T0, source, by, reason) for source in Source for by in (None, WHO) for reason in (None, "belt slips.")]

OVER = outcomes.OverTime(
    machine="metal-mill", display_name=NAME, at=T0, user=Person("id-anna", "Anna Adler"), limit=3600.0
)

EXAMPLES: list[Outcome] = [
    *(started(kind, second) for kind, second in product(SessionKind, SecondDecision)),
    *(refused(refusal) for refusal in Refusal if refusal is not Refusal.UNKNOWN),
    refused(Refusal.UNKNOWN, None),
    *(session_ended(reason, kind) for reason, kind in product(EndReason, SessionKind)),
    *USER_CHANGES,
    card_seen(ANNA_ADLER),
    card_seen(None),
    *(rebooted(cut, card_blocked=blocked) for cut, blocked in product((None, ended(EndReason.REBOOT)), (False, True))),
    *(oops_set(flag, cut) for flag, cut in product(FLAGS, (None, ended(EndReason.OOPS, SessionKind.OVERRIDE)))),
    *(lock_set(flag, cut) for flag, cut in product(FLAGS, (None, ended(EndReason.LOCK)))),
    *(lock_pending(flag) for flag in FLAGS),
    pending_cleared(),
    replace(cleared(oops=True, lock=False), pending=FLAGS[0]),
    *(details(severity) for severity in Severity),
    cleared(oops=True, lock=True),
    cleared(oops=True, lock=False, still_locked=True),
    cleared(oops=False, lock=True, still_oopsed=True),
    cleared(oops=True, lock=False, power_on=True),
    cleared(oops=False, lock=True, by=None, reason=None),
    power(on=True),
    power(on=False),
    OVER,
    outcomes.MaintenanceDue(machine="metal-mill", display_name=NAME, at=T0, what="Oil it", hours=40.0),
    outcomes.MaintenanceDone(
        machine="metal-mill",
        display_name=NAME,
        at=T0,
        what="Oil it.",
        hours=41.5,
        flag=Flag(T0, Source.CLI, "Ada Admin"),
    ),
    reported("Ada Admin"),
    reported(None),
    reported(None, ""),
]


@pytest.mark.parametrize("outcome", EXAMPLES, ids=repr)
def test_every_outcome_has_both_wordings_in_one_line(outcome: Outcome) -> None:
    for text in (full_text(outcome), public_text(outcome)):
        starts = text.startswith((f"{NAME}: ", f"{NAME} is ", f"{NAME} will "))
        assert starts or (outcome.machine is None and NAME not in text)
        assert text.endswith(".")
        assert "\n" not in text
        assert ".." not in text
        assert "  " not in text
        assert text == text.strip()


@pytest.mark.parametrize("outcome", EXAMPLES, ids=repr)
def test_a_public_wording_names_no_member_and_nobody_who_acted(outcome: Outcome) -> None:
    text = public_text(outcome)
    for hidden in ("Anna", "Adler", "id-anna", "Ada", "Admin", FOB, FOB[-4:], ", by "):
        assert hidden not in text


def test_a_problem_that_was_reported_is_for_admins_alone_and_loses_the_names_that_are_forgotten() -> None:
    problem = reported("Ada Admin", "the fence is loose, says Anna Adler")
    assert full_text(problem) == (f"{NAME}: a problem was reported, by Ada Admin: the fence is loose, says Anna Adler.")
    assert public_text(problem) == f"{NAME}: a problem was reported."
    assert without_names(problem) == reported(None, "")
    assert without(problem, EVERYBODY) == reported("", "the fence is loose, says Anna Adler")
    assert without(problem, Redaction(names=frozenset({"Anna Adler"}))) == reported(
        "Ada Admin", "the fence is loose, says someone"
    )


def test_there_is_an_example_of_every_kind_of_outcome() -> None:
    assert {outcomes.kind(outcome) for outcome in EXAMPLES} == KINDS
    kinds = {thing for thing in vars(outcomes).values() if isinstance(thing, type) and issubclass(thing, Outcome)}
    assert {type(outcome) for outcome in EXAMPLES} == kinds - {Outcome, MachineOutcome, UserChanged}


def test_a_change_of_a_user_says_who_did_it_as_far_as_that_is_certain() -> None:
    until = date(2027, 3, 31)
    assert full_text(changed(FobGiven, fob=FOB)) == (
        "Anna Adler was given a fob (ending in 4711), by Ada Admin, from HTTP: course."
    )
    assert full_text(changed(AuthorizationGranted, confirmed=False, authorization="laser", until=until)) == (
        "Anna Adler is authorized for laser until 2027-03-31, by an admin (Ada Admin), from HTTP: course."
    )
    assert full_text(changed(AuthorizationWithdrawn, confirmed=False, by=None, authorization="laser", until=until)) == (
        "Anna Adler is not authorized for laser until 2027-03-31, by an admin, from HTTP: course."
    )
    assert public_text(changed(FobTaken, fob=FOB)) == "a member's fob counts no more."
    assert full_text(changed(FobTaken, fob="")) == ("Anna Adler's fob counts no more, by Ada Admin, from HTTP: course.")


@pytest.mark.parametrize(
    ("outcome", "kind"),
    [
        (started(SessionKind.AUTHORIZED, SecondDecision.NONE), "session_started"),
        (refused(Refusal.EXPIRED), "session_refused"),
        (session_ended(EndReason.CARD_REMOVED), "session_ended"),
        (card_seen(None), "card_seen"),
        (rebooted(None, card_blocked=False), "rebooted"),
        (oops_set(FLAGS[0]), "oops_set"),
        (lock_set(FLAGS[0]), "lock_set"),
        (lock_pending(FLAGS[0]), "lock_pending"),
        (pending_cleared(), "lock_pending_cleared"),
        (details(Severity.UNUSABLE), "details"),
        (cleared(oops=True, lock=False), "oops_cleared"),
        (cleared(oops=False, lock=True), "lock_cleared"),
        (cleared(oops=True, lock=True), "cleared"),
        (power(on=True), "power_on"),
        (power(on=False), "power_off"),
    ],
)
def test_every_outcome_is_called_by_one_word(outcome: Outcome, kind: str) -> None:
    assert outcomes.kind(outcome) == kind


BELT = Flag(T0, Source.SLACK, WHO, "belt slips.")
ASK_BOB = Flag(T0, Source.SLACK, WHO, "ask Bob", "ask a member")

SENTENCES: list[tuple[Outcome, str, str]] = [
    (
        details(Severity.WITH_CARE),
        "Metal Mill: details, by Ada Admin, from Slack: bearing is loud. Usable with care.",
        "Metal Mill: details: bearing is loud. Usable with care.",
    ),
    (
        details(Severity.UNUSABLE, "ask Bob", "ask a member"),
        "Metal Mill: details, by Ada Admin, from Slack: ask Bob. Unusable.",
        "Metal Mill: details: ask a member. Unusable.",
    ),
    (
        started(SessionKind.AUTHORIZED, SecondDecision.NONE),
        "Metal Mill: Anna Adler logged in.",
        "Metal Mill: a member logged in.",
    ),
    (
        started(SessionKind.WARN_ONLY, SecondDecision.DENIED),
        "Metal Mill: Anna Adler logged in WITHOUT authorization (warn only), NOT authorized for second relay.",
        "Metal Mill: a member logged in WITHOUT authorization (warn only), NOT authorized for second relay.",
    ),
    *(
        (
            started(SessionKind.AUTHORIZED, second, "Tube {2}"),
            f"Metal Mill: Anna Adler logged in, {said}.",
            f"Metal Mill: a member logged in, {said}.",
        )
        for second, said in {
            SecondDecision.GRANTED: "Tube {2} granted",
            SecondDecision.DENIED: "NOT authorized for Tube {2}",
            SecondDecision.WARN: "Tube {2} WITHOUT authorization (warn only)",
            SecondDecision.ALWAYS_ENABLED: "Tube {2} always on",
        }.items()
    ),
    (
        refused(Refusal.UNKNOWN, None),
        "Metal Mill: a card (fob ending in 4711) was refused: the fob is unknown.",
        "Metal Mill: a card was refused: the fob is unknown.",
    ),
    (
        refused(Refusal.UNKNOWN, None, Refusal.OOPSED, Refusal.LOCKED_OUT),
        (
            "Metal Mill: a card (fob ending in 4711) was refused: the fob is unknown; the machine is oopsed; "
            "the machine is locked out for maintenance."
        ),
        (
            "Metal Mill: a card was refused: the fob is unknown; the machine is oopsed; "
            "the machine is locked out for maintenance."
        ),
    ),
    (
        refused(Refusal.UNAUTHORIZED),
        "Metal Mill: Anna Adler was refused: not authorized.",
        "Metal Mill: a member was refused: not authorized.",
    ),
    (
        session_ended(EndReason.CARD_REMOVED),
        "Metal Mill: Anna Adler's session ended after 12 min.",
        "Metal Mill: a member's session ended after 12 min.",
    ),
    (
        session_ended(EndReason.CARD_CHANGED, SessionKind.OVERRIDE),
        "Metal Mill: Anna Adler's override session ended after 12 min (another card was inserted).",
        "Metal Mill: a member's override session ended after 12 min (another card was inserted).",
    ),
    (
        session_ended(EndReason.OOPS, SessionKind.OVERRIDE),
        "Metal Mill: Anna Adler's override session ended after 12 min (Oops was pressed).",
        "Metal Mill: a member's override session ended after 12 min (Oops was pressed).",
    ),
    (
        rebooted(ended(EndReason.REBOOT), card_blocked=True),
        (
            "Metal Mill: the reader restarted. Anna Adler's session ended after 12 min."
            " Its card must be taken out and put in again."
        ),
        "Metal Mill: the reader restarted. Its card must be taken out and put in again.",
    ),
    (
        oops_set(BELT, ended(EndReason.OOPS)),
        "Metal Mill is oopsed, by Ada Admin, from Slack: belt slips. Anna Adler's session ended after 12 min.",
        "Metal Mill is oopsed: belt slips.",
    ),
    (
        oops_set(Flag(T0, Source.BUTTON)),
        "Metal Mill is oopsed, from the button at the machine.",
        "Metal Mill is oopsed.",
    ),
    (
        oops_set(ASK_BOB, card=ANNA_ADLER),
        "Metal Mill is oopsed, by Ada Admin, from Slack: ask Bob. Anna Adler's card is in the reader.",
        "Metal Mill is oopsed: ask a member.",
    ),
    (
        lock_set(ASK_BOB, card=ANNA_ADLER),
        (
            "Metal Mill is locked out for maintenance, by Ada Admin, from Slack: ask Bob. "
            "Anna Adler's card is in the reader."
        ),
        "Metal Mill is locked out for maintenance: ask a member.",
    ),
    (
        replace(cleared(oops=True, lock=False, reason="ask Bob"), public_reason="ask a member"),
        "Metal Mill is no longer oopsed, by Ada Admin, from Slack: ask Bob.",
        "Metal Mill is no longer oopsed: ask a member.",
    ),
    (
        lock_set(Flag(T0, Source.HTTP, WHO)),
        "Metal Mill is locked out for maintenance, by Ada Admin, from HTTP.",
        "Metal Mill is locked out for maintenance.",
    ),
    (
        lock_pending(ASK_BOB),
        (
            "Metal Mill will be locked out for maintenance once it is free, by Ada Admin, from Slack: ask Bob. "
            "Anna Adler's session goes on."
        ),
        "Metal Mill will be locked out for maintenance once it is free: ask a member.",
    ),
    (
        pending_cleared(),
        "Metal Mill will not be locked out for maintenance after all, by Ada Admin, from Slack: mended.",
        "Metal Mill will not be locked out for maintenance after all: mended.",
    ),
    (
        replace(cleared(oops=True, lock=False), pending=BELT),
        (
            "Metal Mill is no longer oopsed, nor will it be locked out once it is free, by Ada Admin, from Slack: "
            "mended."
        ),
        "Metal Mill is no longer oopsed, nor will it be locked out once it is free: mended.",
    ),
    (
        cleared(oops=True, lock=True),
        "Metal Mill is no longer oopsed and locked out, by Ada Admin, from Slack: mended.",
        "Metal Mill is no longer oopsed and locked out: mended.",
    ),
    (
        cleared(oops=False, lock=True, still_oopsed=True, reason=None),
        "Metal Mill is no longer locked out, by Ada Admin, from Slack. It is still oopsed.",
        "Metal Mill is no longer locked out. It is still oopsed.",
    ),
    (
        cleared(oops=True, lock=False, still_locked=True, reason=None),
        "Metal Mill is no longer oopsed, by Ada Admin, from Slack. It is still locked out.",
        "Metal Mill is no longer oopsed. It is still locked out.",
    ),
    (
        cleared(oops=True, lock=False, power_on=True, by=None, reason=None),
        "Metal Mill is no longer oopsed, from Slack. Power is on.",
        "Metal Mill is no longer oopsed. Power is on.",
    ),
    (
        power(on=True),
        "Metal Mill: power is on (it is always enabled).",
        "Metal Mill: power is on (it is always enabled).",
    ),
    (
        card_seen(None),
        "Metal Mill: someone unknown inserted a card (the machine is always enabled).",
        "Metal Mill: someone unknown inserted a card (the machine is always enabled).",
    ),
]


@pytest.mark.parametrize(("outcome", "full", "public"), SENTENCES, ids=[row[1] for row in SENTENCES])
def test_a_wording_is_one_plain_sentence(outcome: Outcome, full: str, public: str) -> None:
    assert full_text(outcome) == full
    assert public_text(outcome) == public


@pytest.mark.parametrize("flag", FLAGS, ids=repr)
def test_the_control_channel_is_told_who_from_where_and_why(flag: Flag) -> None:
    for outcome in (oops_set(flag), lock_set(flag)):
        text = full_text(outcome)
        assert wording.SOURCES[flag.source] in text
        assert (flag.by or "") in text
        assert (flag.reason or "") in text
        assert "None" not in text
        assert (flag.reason or "") in public_text(outcome)


BOTH_CHANNELS = (Channel.CONTROL, Channel.OOPS)
CONTROL_ONLY = (Channel.CONTROL,)
POSTED: dict[type[Outcome], tuple[Channel, ...]] = {
    OopsSet: BOTH_CHANNELS,
    LockSet: BOTH_CHANNELS,
    LockPending: BOTH_CHANNELS,
    PendingCleared: BOTH_CHANNELS,
    Cleared: BOTH_CHANNELS,
    DetailsAdded: BOTH_CHANNELS,
    SessionStarted: CONTROL_ONLY,
    SessionRefused: CONTROL_ONLY,
    SessionEnded: CONTROL_ONLY,
    Rebooted: CONTROL_ONLY,
    outcomes.OverTime: CONTROL_ONLY,
    outcomes.MaintenanceDue: CONTROL_ONLY,
    outcomes.MaintenanceDone: CONTROL_ONLY,
    CardSeen: (),
    PowerChanged: (),
    Reported: CONTROL_ONLY,
    **dict.fromkeys(map(type, USER_CHANGES), CONTROL_ONLY),
}


def notices_of(decision: Decision, channel: Channel) -> list[Notice]:
    return [notice for outcome in decision.outcomes for notice in notices(outcome) if notice.channel is channel]


@pytest.mark.parametrize("outcome", EXAMPLES, ids=repr)
def test_each_channel_is_told_what_the_table_says(outcome: Outcome) -> None:
    posted = notices(outcome)
    assert tuple(notice.channel for notice in posted) == POSTED[type(outcome)]
    texts: dict[str, str] = {Channel.CONTROL: full_text(outcome), Channel.OOPS: public_text(outcome)}
    assert [notice.text.partition(" Out of use")[0] for notice in posted] == [texts[n.channel] for n in posted]


@pytest.mark.parametrize("channel", BOTH_CHANNELS)
@pytest.mark.parametrize(
    "setting",
    [[oops(10)], [lock(10)], [oops(10), lock(20)], [lock(10), oops(20)], [report(None, 10, oops=True), lock(20)]],
)
def test_a_clear_ends_the_threads_that_its_oops_and_lock_began_the_older_first(
    setting: list[Input], channel: Channel
) -> None:
    state = fresh(MILL)
    threads: list[ThreadKey] = []
    for event in setting:
        decision = decide(MILL, PEOPLE, state, event)
        (notice,) = notices_of(decision, channel)
        assert notice.opens is not None
        assert notice.closes == ()
        threads.append(notice.opens)
        state = decision.state
    (end,) = notices_of(decide(MILL, PEOPLE, state, clear(30)), channel)
    assert end.opens is None
    assert end.closes == tuple(threads)


@pytest.mark.parametrize(
    ("by", "names", "start"),
    [(WHO, True, f"Cleared by {WHO} after 35 min, "), (None, True, "Cleared from Slack after 35 min, "),
     (WHO, False, "Cleared after 35 min, ")],
)  # fmt: skip
def test_a_notice_says_how_its_matter_ended(by: str | None, names: bool, start: str) -> None:
    end = cleared(oops=True, lock=False, by=by)
    since = end.at - timedelta(minutes=35)
    assert end_text(since, end, names=names) == f"{start}{local_time(end.at)}: mended."


def test_every_oops_begins_a_thread_of_its_own() -> None:
    decision = run(MILL, PEOPLE, fresh(MILL), [oops(10), clear(20), oops(30)])
    first, _, second = notices_of(decision, Channel.OOPS)
    assert first.opens != second.opens


@pytest.mark.parametrize(
    "key", [ThreadKey("metal-mill", "oops", T0), ThreadKey("a_1", "lock", T0.replace(microsecond=7))]
)
def test_the_key_of_a_thread_is_read_back_from_its_text(key: ThreadKey) -> None:
    assert str(key) == f"{key.machine} {key.flag} {key.since.isoformat()}"
    assert ThreadKey.parse(str(key)) == key


@pytest.mark.parametrize("text", ["", "x", "metal-mill", "metal-mill oops ", "metal-mill oops now", "a oops b c"])
def test_another_text_is_no_key_of_a_thread(text: str) -> None:
    assert ThreadKey.parse(text) is None


def test_what_the_oops_channel_is_not_told_belongs_to_no_thread() -> None:
    for outcome in EXAMPLES:
        if POSTED[type(outcome)] == CONTROL_ONLY:
            (notice,) = notices(outcome)
            assert (notice.opens, notice.closes) == (None, ())


def test_a_change_is_one_post_per_channel_even_when_it_ends_a_session_or_clears_both() -> None:
    running = with_card(MILL, ANNA)
    for state, event in (
        (running, oops(20)),
        (running, lock(20)),
        (running, report(ANNA, 20, oops=True)),
        (with_card(MILL, OTTO, BOTH), clear(20)),
        (fresh(MILL, BOTH), clear(20)),
    ):
        decision = decide(MILL, PEOPLE, state, event)
        assert [notice.channel for outcome in decision.outcomes for notice in notices(outcome)] == list(BOTH_CHANNELS)


def test_a_fob_never_shows_in_the_repr_of_an_outcome() -> None:
    for outcome in EXAMPLES:
        assert FOB not in repr(outcome)
        assert "fob" not in {field.name for field in fields(outcome) if field.repr}


class Untold(Outcome):
    """An outcome that nobody has found words for."""


def test_an_outcome_without_words_is_an_error_that_says_where_to_add_them() -> None:
    with pytest.raises(TypeError, match=r"no wording for Untold: add it to mac_actors\.core\.wording"):
        full_text(Untold(machine="metal-mill", display_name=NAME, at=T0))


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "0 s"),
        (42.9, "42 s"),
        (59.999, "59 s"),
        (60.0, "1 min"),
        (754.0, "12 min"),
        (3599.0, "59 min"),
        (3600.0, "1 h 00 min"),
        (11100.0, "3 h 05 min"),
        (172799.0, "47 h 59 min"),
        (172800.0, "2 d 0 h"),
        (187200.0, "2 d 4 h"),
        (1e8, "1157 d 9 h"),
    ],
)
def test_a_length_of_time_is_said_as_people_do(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@settings(database=None)
@given(name=st.text(st.characters(codec="utf-8", categories=["L", "Nd"]), min_size=8), reason=st.none() | st.just("x"))
def test_no_name_whatever_it_is_gets_into_a_public_wording(name: str, reason: str | None) -> None:
    """Eight letters or more, so that the name is not a word of the sentence by chance."""
    flag = Flag(T0, Source.SLACK, name, reason)
    anonymous = Flag(T0, Source.SLACK, None, reason)
    cut = Ended(Person(name, name), SessionKind.AUTHORIZED, T0, 5.0, EndReason.OOPS)
    assert public_text(oops_set(flag, cut)) == public_text(oops_set(anonymous, None))
    assert public_text(lock_set(flag, cut)) == public_text(lock_set(anonymous, None))
    assert public_text(rebooted(cut, card_blocked=False)) == public_text(rebooted(None, card_blocked=False))
    assert public_text(cleared(oops=True, lock=True, by=name)) == public_text(cleared(oops=True, lock=True, by=None))


# what belongs together


def told(seconds: float, *events: Input, channel: Channel = Channel.CONTROL) -> list[Notice]:
    """What is posted of the last of these events."""
    state = run(MILL, PEOPLE, fresh(MILL), events[:-1]).state
    decision = decide(MILL, PEOPLE, state, events[-1])
    assert all(outcome.at == after(seconds) for outcome in decision.outcomes)
    posted = (notice for outcome in decision.outcomes for notice in notices(outcome, decision.state))
    return [notice for notice in posted if notice.channel is channel]


OOPS_KEY, LOCK_KEY = ThreadKey("metal-mill", "oops", after(10)), ThreadKey("metal-mill", "lock", after(20))


@pytest.mark.parametrize("channel", BOTH_CHANNELS)
def test_a_lock_on_top_of_an_oops_is_told_within_its_thread(channel: Channel) -> None:
    [notice] = told(20, oops(10), lock(20), channel=channel)
    assert (notice.opens, notice.within) == (LOCK_KEY, (OOPS_KEY,))
    [first] = told(10, oops(10), channel=channel)
    assert (first.opens, first.within) == (OOPS_KEY, ())


def test_what_goes_on_at_a_machine_that_is_out_of_use_is_told_within_its_thread() -> None:
    for last in (
        (report(OTTO, 30),),
        (report(ANNA, 30),),
        (report(OTTO, 25), report(None, 30)),
        (report(None, 30, uptime=1),),
    ):
        [notice] = told(30, oops(10), lock(20), *last)
        assert notice.within == (OOPS_KEY, LOCK_KEY)
        assert (notice.opens, notice.closes) == (None, ())
    assert told(30, oops(10), clear(20), report(ANNA, 30))[0].within == ()


def test_the_end_of_an_incident_is_told_with_how_long_it_took_who_and_why() -> None:
    [control] = told(7210, oops(10), lock(20), clear(7210))
    assert control.text.endswith(
        "Slack: mended. Out of use for 2 h 00 min: oopsed, by Ada Admin, from Slack: belt slips; "
        "locked out, by Ada Admin, from HTTP: new belt."
    )
    [public] = told(7210, oops(10), lock(20), clear(7210), channel=Channel.OOPS)
    assert public.text.endswith(
        "locked out: mended. Out of use for 2 h 00 min: oopsed: belt slips; locked out: new belt."
    )
    [half] = told(600, oops(10), lock(20), unoops(600))
    assert "Out of use" not in half.text
    [end] = told(7210, oops(10), lock(20), unoops(600), unlock(7210))
    assert "Out of use for 2 h 00 min: locked out" in end.text
