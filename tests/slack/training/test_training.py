"""A fob is given and a member is authorized, from the lines in the control channel and by /mac train."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from mac_actors.core.config import Directory, User
from mac_actors.slack.changes import UNKNOWN_ASKER
from mac_actors.slack.training import forms
from mac_actors.slack.training.command import NO_TRAINER
from mac_actors.slack.training.training import GONE
from tests.fakes import PATIENCE
from tests.slack.conversation.notice import buttons, shown_text
from tests.slack.shop import Shop
from tests.slack.standin.envelopes import chosen, picked
from tests.slack.standin.records import Post, View
from tests.slack.standin.workspace import ADA, BOB, CONTROL, EVE, OTHER

FOBS = map(str, itertools.count(7_000_001))
GRACE, HIERONYMUS, ADA_FOB = "1007", "1008", "0001000001"


def refused(shop: Shop, machine: str, fob: str) -> Post:
    """Hold a fob to a reader that refuses it; the line in the control channel."""
    shop.report(machine, fob)
    shop.report(machine)
    shop.drained()
    return [post for post in shop.posts(CONTROL) if "refused" in post.text][-1]


def opened(shop: Shop, action: str, notice: Post, user: str = BOB) -> View:
    before = len(shop.workspace.views)
    shop.workspace.press(action, message=notice, user=user).acked()
    return shop.workspace.wait_for_views(before + 1)[-1]


def training(shop: Shop, argument: str = "", user: str = BOB, channel: str = CONTROL) -> View:
    before = len(shop.workspace.views)
    shop.workspace.slash("/mac", f"train {argument}", user=user, channel=channel).acked()
    return shop.workspace.wait_for_views(before + 1)[-1]


def send(shop: Shop, form: View, typed: str = "", authorization: str = "") -> None:
    """Choose the first member who is found by what is typed, and an authorization, and send the form."""
    values: dict[str, Mapping[str, Any]] = {}
    if typed:
        options = shop.workspace.suggest(form, forms.MEMBER_ACTION, typed).options
        values["member"] = {forms.MEMBER_ACTION: picked(options[0])}
    if "authorization" in blocks(form):
        values["authorization"] = {"name": chosen(authorization) if authorization else {"selected_option": None}}
    shop.workspace.submit_view(form, values=values).acked()


def blocks(form: View) -> dict[str, Any]:
    return {block.get("block_id", "text"): block for block in form.view["blocks"]}


def test_a_fob_that_nobody_knows_is_given_and_opens_the_machine(shop: Shop) -> None:
    fob = next(FOBS)
    notice = refused(shop, "co2-laser", fob)
    assert buttons(shop, notice) == ["Whose is it?"]
    form = opened(shop, "mac_whose", notice)
    offered = shop.workspace.suggest(form, forms.MEMBER_ACTION, "grac").options
    assert [(option["text"]["text"], option["value"]) for option in offered] == [("Grace Nobody (1007)", GRACE)]
    assert [o["value"] for o in blocks(form)["authorization"]["element"]["options"]] == ["Laser", "Laser Rotary"]
    shop.begin()
    send(shop, form, "GRÁC", "Laser")
    shop.wait_for_updates()
    assert sorted(shop.wait_for_texts(2)) == [
        "Grace Nobody is authorized for Laser, by bob, from Slack.",
        f"Grace Nobody was given a fob (ending in {fob[-4:]}), by bob, from Slack.",
    ]
    assert shown_text(shop, notice) == (
        f"CO2 Laser: a card (fob ending in {fob[-4:]}) was refused: the fob is unknown.\n"
        "Given to Grace Nobody by bob.\nAuthorized for Laser by bob."
    )
    assert buttons(shop, notice) == []
    assert not shop.ephemerals()
    assert shop.report("co2-laser", fob)["relay"] is True
    [given] = [item for item in shop.fleet.users.show(GRACE).fobs if item.source == "addition"]
    assert given.by == "bob"


def test_no_whole_number_of_a_fob_is_in_slack(shop: Shop) -> None:
    fob = next(FOBS)
    send(shop, opened(shop, "mac_whose", refused(shop, "co2-laser", fob)), "hieronymus")
    shop.wait_for_updates()
    shop.settle()
    workspace = shop.workspace
    seen = [workspace.posts(), workspace.updates(), workspace.ephemerals(), workspace.views, workspace.answers]
    assert fob[-4:] in repr(seen)
    assert fob not in repr(seen)


def test_who_lacks_an_authorization_is_given_one_of_those_of_the_machine(shop: Shop) -> None:
    notice = refused(shop, "welder", ADA_FOB)
    assert buttons(shop, notice) == ["Authorize…"]
    form = opened(shop, "mac_authorize", notice)
    asked = blocks(form)["authorization"]["element"]
    assert "member" not in blocks(form)
    assert asked["initial_option"]["value"] == "Welding"
    send(shop, form, authorization="Welding")
    shop.wait_for_updates()
    assert shown_text(shop, notice) == (
        "MIG Welder: Bay 2: Ada Example was refused: not authorized.\nAuthorized for Welding by bob."
    )
    assert buttons(shop, notice) == []
    assert shop.report("welder", ADA_FOB)["relay"] is True


def test_of_two_who_give_one_fob_at_once_the_second_is_told_whose_it_is(shop: Shop) -> None:
    notice = refused(shop, "co2-laser", next(FOBS))
    first, second, again = (opened(shop, "mac_whose", notice, user) for user in (BOB, ADA, BOB))
    send(shop, first, "grace")
    shop.wait_for_updates()
    said = shown_text(shop, notice)
    send(shop, second, "hieronymus")
    [told] = shop.wait_for_ephemerals()
    assert (told.user, told.text) == (
        ADA,
        "this fob is Grace Nobody's (1007): nothing was changed; take it from them first",
    )
    send(shop, again, "grace")
    assert shop.wait_for_ephemerals(2)[-1].text == "Grace Nobody has this fob already: nothing was changed."
    late = shop.workspace.press("mac_whose", message=notice, user=ADA)
    assert late.answered()[0].text == "This fob is Grace Nobody's (1007) by now: nothing was changed."
    assert shown_text(shop, notice) == said
    assert len(shop.updates()) == 1


def test_a_form_that_slack_does_not_open_in_time_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    notice = refused(shop, "co2-laser", next(FOBS))
    monkeypatch.setattr(shop.workspace._api, "trigger_life", -1.0)
    pressed = shop.workspace.press("mac_whose", message=notice)
    assert pressed.answered()[0].text == "The form could not be opened. Press the button again."
    typed = shop.workspace.slash("/mac", "train")
    assert typed.answered()[0].text == "The form could not be opened. Try again."


def test_whoever_left_the_control_channel_meanwhile_changes_nothing(shop: Shop) -> None:
    notice = refused(shop, "co2-laser", next(FOBS))
    form, members = opened(shop, "mac_whose", notice), shop.workspace.channel(CONTROL).members
    members.remove(BOB)
    try:
        send(shop, form, "grace", "Laser Rotary")
        asked = shop.workspace.calls_to("conversations.members")
        shop.workspace.wait_for(lambda: bool(asked))
        assert shop.service.shop.slack
        shop.service.shop.slack.commands.finish(PATIENCE)
    finally:
        members.append(BOB)
    shop.settle()
    assert not shop.updates()
    assert buttons(shop, notice) == ["Whose is it?"]
    assert "Laser Rotary" not in {item.value for item in shop.fleet.users.show(GRACE).authorizations}


def test_whoever_is_deactivated_changes_nothing(shop: Shop) -> None:
    shop.workspace.add_user("U0GONE", "gone", "Gone", deleted=True)
    shop.workspace.channel(CONTROL).members.append("U0GONE")
    notice = refused(shop, "co2-laser", next(FOBS))
    send(shop, opened(shop, "mac_whose", notice, "U0GONE"), "grace")
    assert shop.wait_for_ephemerals()[-1].text == UNKNOWN_ASKER
    assert not shop.updates()


def test_a_member_who_has_gone_and_a_line_that_is_forgotten_are_said(shop: Shop) -> None:
    notice = refused(shop, "co2-laser", next(FOBS))
    form = opened(shop, "mac_whose", notice)
    option = shop.workspace.suggest(form, forms.MEMBER_ACTION, "grace").options[0]
    gone = replace(form, view=form.view | {"private_metadata": form.private_metadata})
    shop.workspace._state.suggested[form.id].append(option | {"value": "none"})
    values = {"member": {forms.MEMBER_ACTION: picked(option | {"value": "none"})}}
    shop.workspace.submit_view(gone, values=values).acked()
    assert shop.wait_for_ephemerals()[-1].text == "This member is among the users no more: nothing was changed."
    for flag in ("fob", "authorization"):
        value = f"co2-laser {flag} 2020-01-01T00:00:00+00:00"
        pressed = shop.workspace.press("mac_whose", message=notice, value=value)
        assert pressed.answered()[0].text == GONE
    shop.workspace.press("mac_whose", message=notice, value="nothing").acked()
    assert not shop.updates()


def test_mac_train_authorizes_a_member_for_a_machine(shop: Shop) -> None:
    form = training(shop, "“co2 laser”")
    options = blocks(form)["authorization"]["element"]["options"]
    assert [option["text"]["text"] for option in options] == ["Laser: CO2 Laser", "Laser Rotary: CO2 Laser"]
    send(shop, form, "made-up", "Laser")
    assert shop.wait_for_texts(1) == ["Frøya Made-Up is authorized for Laser, by bob, from Slack."]
    send(shop, form, "froya", "Laser")
    shop.workspace.wait_for(lambda: bool(shop.answers()))
    assert shop.answers()[0].text == "Frøya Made-Up is authorized for Laser already: nothing was changed."
    every = blocks(training(shop))["authorization"]["element"]["options"]
    assert [option["text"]["text"] for option in every][:2] == ["Ceramics: Kiln", "Laser: CO2 Laser"]


def test_a_machine_that_has_gone_is_authorized_for_no_more_and_its_fob_is_given_all_the_same(shop: Shop) -> None:
    unknown = refused(shop, "co2-laser", next(FOBS))
    unauthorized = refused(shop, "co2-laser", "0001000002")
    sent = json.loads(shop.machines.read_text("utf-8"))
    shop.machines.write_text(json.dumps({name: sent[name] for name in sent if name != "co2-laser"}), "utf-8")
    try:
        shop.service.reload()
        form = opened(shop, "mac_whose", unknown)
        assert "authorization" not in blocks(form)
        send(shop, form, "grace")
        shop.wait_for_updates()
        assert buttons(shop, unknown) == []
        pressed = shop.workspace.press("mac_authorize", message=unauthorized)
        assert pressed.answered()[0].text == "CO2 Laser asks for no authorization any more: nothing was changed."
    finally:
        shop.machines.write_text(json.dumps(sent), "utf-8")
        shop.service.reload()


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("lasr", "There is no machine called lasr."),
        ("dust collector", "Dust Collector asks for no authorization."),
    ],
)
def test_mac_train_says_what_it_can_open_no_form_for(shop: Shop, argument: str, said: str) -> None:
    [answer] = shop.workspace.slash("/mac", f"train {argument}").answered()
    assert answer.text.startswith(said)
    assert not answer.in_channel


def test_a_trainer_authorizes_outside_of_the_control_channel_for_their_machine_alone(shop: Shop) -> None:
    form = training(shop, user=EVE, channel=OTHER)
    assert [o["value"] for o in blocks(form)["authorization"]["element"]["options"]] == ["Laser", "Laser Rotary"]
    send(shop, form, "hieronymus", "Laser")
    shop.workspace.wait_for(lambda: bool(shop.answers()))
    assert [(answer.text, answer.in_channel) for answer in shop.answers()] == [
        ("Hieronymus Maximilian Longname is authorized for Laser.", False)
    ]
    assert shop.wait_for_texts(1) == ["Hieronymus Maximilian Longname is authorized for Laser, by eve, from Slack."]
    [elsewhere] = shop.workspace.slash("/mac", "train welder", user=EVE, channel=OTHER).answered()
    assert elsewhere.text == "You train nobody for MIG Welder: Bay 2: nothing was changed."
    shop.settle()
    assert not shop.posts(OTHER)


def test_whoever_is_a_trainer_no_more_when_the_form_is_sent_is_refused(shop: Shop) -> None:
    form = training(shop, "co2 laser", user=EVE, channel=OTHER)
    shop.fleet.users.withdraw("1003", "Laser Rotary")
    try:
        send(shop, form, "dolores", "Laser Rotary")
        shop.workspace.wait_for(lambda: bool(shop.answers()))
        assert shop.answers()[0].text == "you train nobody for 'Laser Rotary': ask an admin, or a trainer for it"
        [refusal] = shop.workspace.slash("/mac", "train", user=EVE, channel=OTHER).answered()
        assert refusal.text == NO_TRAINER
    finally:
        shop.fleet.users.authorize("1003", "Laser Rotary")
    assert "Laser Rotary" not in {item.value for item in shop.fleet.users.show("1004").authorizations}


@pytest.mark.parametrize("user", [ADA, BOB])
def test_others_are_refused_outside_of_the_control_channel(shop: Shop, user: str) -> None:
    [answer] = shop.workspace.slash("/mac", "train", user=user, channel=OTHER).answered()
    assert answer.text == NO_TRAINER
    assert not answer.in_channel


def test_members_are_found_among_ten_thousand_in_time(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd = [User(f"x{n}", f"Zoë {n:05}", "", "") for n in range(10_000)]
    people = shop.fleet.users.people
    monkeypatch.setattr(shop.fleet.users, "people", replace(people, directory=Directory.of(crowd)))
    form, limit = training(shop), shop.ack_limit()
    found = shop.workspace.suggest(form, forms.MEMBER_ACTION, "zoe")
    assert (len(found.options), found.took < limit) == (100, True)
    assert shop.workspace.suggest(form, forms.MEMBER_ACTION, "ZOE 09999").options[0]["value"] == "x9999"
    assert shop.workspace.suggest(form, forms.MEMBER_ACTION, "nobody at all").options == []


def test_names_of_any_length_make_options_that_slack_takes() -> None:
    unfit = [User("9" * 151, "Long Id", "", ""), User("", "No Id", "", "")]
    assert forms.members(unfit) == []
    long = forms.option("n" * 10_000, "1", f" ({'9' * 100})")
    assert len(long["text"]["text"]) == 75
    many = {f"a{n}": "x" for n in range(200)} | {"b" * 151: "too long"}
    shown = forms.Form("T", "text", "Send", many).view({})
    assert len(shown["blocks"][-1]["element"]["options"]) == 100
    assert json.loads(shown["private_metadata"]) == {}
