"""From what people type in Slack to a command, and from its argument to a machine: tables, and arbitrary text."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mac_actors.core.config import MachineConfig
from mac_actors.errors import UnknownMachine
from mac_actors.fleet.names import Names
from mac_actors.slack.commands import (
    CHANGING,
    LONGEST_REASON,
    ParsedCommand,
    Target,
    Verb,
    find_quoted,
    parse,
    plain,
    resolve,
)

BOT = "UBOT"
NBSP = "\N{NO-BREAK SPACE}"

NAMES = Names(
    [
        MachineConfig("metal-mill", alias="Metal Mill"),
        MachineConfig("welder", alias="MIG Welder: Bay 2"),
        MachineConfig("mig", alias="MIG Welder"),
        MachineConfig("cutter", alias='16" Cutter & <Shear>'),
        MachineConfig("drill_press"),
        MachineConfig("shop", alias="shop.io"),
        MachineConfig("strasse", alias="Große Straße"),
        MachineConfig("router", alias='Router 24"'),
        MachineConfig("lathe", alias="Bob’s Lathe"),
        MachineConfig("forge", alias="🔥 Forge"),
        MachineConfig("tesla", alias=":zap:"),
        MachineConfig("hobber", alias="⚙️ Hobber"),
        MachineConfig("orange", alias="🟠 Saw"),
        MachineConfig("saw-stop", alias="Saw–Stop"),
        MachineConfig("mr-t", alias="Mr. T."),
        MachineConfig("mister", alias="Mr. T"),
        MachineConfig("big", alias="Saw - Big"),
        MachineConfig("saw", alias="Saw"),
    ]
)


def at_bot(text: str, sender: str = BOT) -> ParsedCommand:
    return parse(f"<@{BOT}> {text}", sender)


def name_of(user: str) -> str:
    return {"U0BOB": "bob", "U0EVIL": "<!here> & *all*"}.get(user, user)


def target(text: str) -> Target:
    """What a command is about; the text begins with the command."""
    return resolve(at_bot(text), NAMES.find, name_of)


def called(argument: str, find: Callable[[str], str] = NAMES.find) -> Target:
    """What is meant by what follows a command."""
    return resolve(ParsedCommand(Verb.OOPS, argument), find, name_of)


# --- which command ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("status", ParsedCommand(Verb.STATUS)),
        ("list", ParsedCommand(Verb.STATUS)),
        ("status Metal Mill", ParsedCommand(Verb.STATUS, "Metal Mill")),
        ("list Metal Mill", ParsedCommand(Verb.STATUS, "Metal Mill")),
        ("oops Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("lock metal-mill", ParsedCommand(Verb.LOCK, "metal-mill")),
        ("clear drill_press", ParsedCommand(Verb.CLEAR, "drill_press")),
        ("history Metal Mill", ParsedCommand(Verb.HISTORY, "Metal Mill")),
        ("help", ParsedCommand(Verb.HELP)),
        ("help oops", ParsedCommand(Verb.HELP, "oops")),
        ("oops", ParsedCommand(Verb.OOPS)),
        ("OOPS Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("Oops METAL MILL", ParsedCommand(Verb.OOPS, "METAL MILL")),
        ("ſtatus", ParsedCommand(Verb.STATUS)),
        ("", ParsedCommand(Verb.HELP, addressed=False)),
        ("   ", ParsedCommand(Verb.HELP, addressed=False)),
        ("\u200b", ParsedCommand(Verb.HELP, addressed=False)),
        ("frobnicate Metal Mill", ParsedCommand(Verb.HELP, unknown="frobnicate")),
        ("oopsie Metal Mill", ParsedCommand(Verb.HELP, unknown="oopsie")),
        ("oops: Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("oops:Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("*oops Metal Mill*", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("_*oops Metal Mill*_", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("`oops Metal Mill`", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("```oops Metal Mill```", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("*oops* Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("*oops:* Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("*oops Metal Mill: belt slips*", ParsedCommand(Verb.OOPS, "Metal Mill: belt slips")),
        ("'status'", ParsedCommand(Verb.STATUS)),
        ("status!", ParsedCommand(Verb.STATUS)),
        ("status.", ParsedCommand(Verb.STATUS)),
        ("\u200boops\u200b Metal Mill", ParsedCommand(Verb.OOPS, "Metal Mill")),
        ("oops!Metal Mill", ParsedCommand(Verb.HELP, unknown="oops!Metal")),
        (":fire:", ParsedCommand(Verb.HELP, unknown=":fire:")),
        ("<@U0ADA> oops Metal Mill", ParsedCommand(Verb.HELP, unknown="@U0ADA")),
        ("unlock Metal Mill", ParsedCommand(Verb.HELP, unknown="unlock")),
        ("clear-all", ParsedCommand(Verb.HELP, unknown="clear-all")),
        ("😀", ParsedCommand(Verb.HELP, unknown="😀")),
    ],
)
def test_the_first_word_is_the_command_and_the_rest_of_the_line_its_argument(text: str, command: ParsedCommand) -> None:
    assert at_bot(text) == command


def test_what_changes_something_is_oops_lock_clear_done_and_links() -> None:
    assert {Verb.OOPS, Verb.LOCK, Verb.CLEAR, Verb.DONE, Verb.LINK, Verb.UNLINK} == CHANGING


@pytest.mark.parametrize("space", [" ", "   ", "\t", NBSP, f" {NBSP}\t ", "\N{IDEOGRAPHIC SPACE}", "\N{EM SPACE}"])
def test_white_space_of_any_kind_may_be_repeated(space: str) -> None:
    text = f"{space}<@{BOT}>{space}oops{space}Metal{space}Mill{space}"
    assert parse(text, BOT) == ParsedCommand(Verb.OOPS, "Metal Mill")


def test_the_mention_needs_no_space_after_it() -> None:
    assert parse(f"<@{BOT}>oops Metal Mill", BOT) == ParsedCommand(Verb.OOPS, "Metal Mill")


@pytest.mark.parametrize(
    "text",
    [
        f"<@{BOT}>: oops Metal Mill",
        f"<@{BOT}>, oops Metal Mill",
        f"*<@{BOT}> oops Metal Mill*",
        f"*<@{BOT}>* oops Metal Mill",
        f"\u200b<@{BOT}>\u200b oops Metal Mill",
        f"\ufeff<@{BOT}>: *oops Metal Mill*",
    ],
)
def test_what_people_and_keyboards_put_around_the_mention_is_dropped(text: str) -> None:
    assert parse(text, BOT) == ParsedCommand(Verb.OOPS, "Metal Mill")


def test_a_mention_may_carry_a_label() -> None:
    assert parse(f"<@{BOT}|mac> status", BOT) == ParsedCommand(Verb.STATUS)


def test_a_bot_that_does_not_know_its_own_id_takes_any_mention() -> None:
    assert parse("<@U0ADA> status") == ParsedCommand(Verb.STATUS)


@pytest.mark.parametrize(
    "text",
    [
        f"oops Metal Mill <@{BOT}>",
        f"please <@{BOT}> oops Metal Mill",
        f"<@U0ADA> <@{BOT}> oops Metal Mill",
        f"<@U0ADA|ada> oops Metal Mill <@{BOT}>",
        f"&gt; <@{BOT}> oops Metal Mill",
        f"<!here> <@{BOT}> oops Metal Mill",
        "oops Metal Mill",
        "",
        f"&lt;@{BOT}&gt; oops Metal Mill",
        f"<@{BOT.lower()}> oops Metal Mill",
    ],
)
def test_a_message_that_does_not_begin_with_the_mention_of_the_bot_is_no_command(text: str) -> None:
    assert parse(text, BOT) == ParsedCommand(Verb.HELP, addressed=False)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
@pytest.mark.parametrize(
    ("first", "reason"),
    [
        ("oops Metal Mill: belt", "belt clear Table Saw"),
        ("oops Metal Mill:", "clear Table Saw"),
        ("oops Metal Mill", "clear Table Saw"),
        ("*oops Metal Mill*", "clear Table Saw"),
    ],
)
def test_a_command_is_the_first_line_and_what_follows_belongs_to_its_reason(first: str, reason: str, end: str) -> None:
    assert at_bot(f"{first}{end}clear Table Saw").verb is Verb.OOPS
    assert target(f"{first}{end}clear Table Saw") == Target("metal-mill", reason)


def test_a_first_line_without_a_command_is_none() -> None:
    assert parse(f"<@{BOT}>\noops Metal Mill", BOT) == ParsedCommand(Verb.HELP, addressed=False)


def test_lines_before_the_mention_are_white_space_too() -> None:
    assert parse(f"\n\n<@{BOT}> status\nnow", BOT) == ParsedCommand(Verb.STATUS, more="now")


# --- as it was typed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "typed"),
    [
        ("a &amp; b", "a & b"),
        ("&lt;b&gt;", "<b>"),
        ("&amp;lt;", "&lt;"),
        ("&amp;amp;", "&amp;"),
        ("&quot;&nbsp;", "&quot;&nbsp;"),
        ("<!here>", "@here"),
        ("<!channel|channel>", "@channel"),
        ("<!channel|@channel>", "@channel"),
        ("<!subteam^S1|@admins>", "@admins"),
        ("<!subteam^S1>", "@subteam"),
        ("<@U1>", "@U1"),
        ("<@U1|ada>", "@ada"),
        ("<!date^1392734382^{ago}|Feb 18>", "Feb 18"),
        ("<!date^1392734382^{ago}>", ""),
        ("<#C1|general>", "#general"),
        ("<#C1>", "#C1"),
        ("<#C1|>", "#C1"),
        ("<http://x|x>", "x"),
        ("<http://shop.io|shop.io>", "shop.io"),
        ("<https://shop.io>", "https://shop.io"),
        ("<mailto:a@b.io|a@b.io>", "a@b.io"),
        ("<mailto:a@b.io>", "a@b.io"),
        ("<tel:5551234|555-1234>", "555-1234"),
        ("see <http://x.io|x.io> &amp; <@U1|ada>", "see x.io & @ada"),
        ("a  b", "a b"),
        (f" a{NBSP}{NBSP}b\t", "a b"),
        ("<", "<"),
        ("<>", ""),
        ("", ""),
        ("*bold* _it_ ~no~", "*bold* _it_ ~no~"),
    ],
)
def test_references_and_entities_are_undone_once(sent: str, typed: str) -> None:
    assert plain(sent) == typed


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Metal Mill", "metal-mill"),
        ('"Metal Mill"', "metal-mill"),
        ("'Metal Mill'", "metal-mill"),
        ("`metal-mill`", "metal-mill"),
        ("```Metal Mill```", "metal-mill"),
        ("“Metal Mill”", "metal-mill"),
        ("„Metal Mill“", "metal-mill"),
        ("‘Metal Mill’", "metal-mill"),
        ("«Metal Mill»", "metal-mill"),
        ("\" 'Metal Mill' \"", "metal-mill"),
        (' "Metal Mill" ', "metal-mill"),
        ('" Metal Mill "', "metal-mill"),
        ("“Metal Mill", "metal-mill"),
        ("*Metal Mill*", "metal-mill"),
        ("_Metal Mill_", "metal-mill"),
        ("*`Metal Mill`*", "metal-mill"),
        ("Metal Mill*", "metal-mill"),
        ("Metal Mill.", "metal-mill"),
        ("Metal Mill!", "metal-mill"),
        ("“Metal Mill.”", "metal-mill"),
        ("*Metal Mill*.", "metal-mill"),
        ("*Metal Mill*\u200b", "metal-mill"),
        ("Metal\u00ad Mi\u200bll\ufeff", "metal-mill"),
        ("Bob's Lathe", "lathe"),
        ("Bob’s Lathe", "lathe"),
        ("‘Bob‘s Lathe’", "lathe"),
        ("router 24”", "router"),
        ("🔥 Forge", "forge"),
        (":fire: forge", "forge"),
        ("*:fire: Forge*", "forge"),
        (":zap:", "tesla"),
        ("⚡", "tesla"),
        ("⚡\ufe0f", "tesla"),
        (":gear: Hobber", "hobber"),
        ("⚙ Hobber", "hobber"),
        (":large_orange_circle: Saw", "orange"),
        ("saw—stop", "saw-stop"),
        ("Saw–Stop", "saw-stop"),
        ("saw‑stop", "saw-stop"),
        ("drill_press", "drill_press"),
        ("_drill_press_", "drill_press"),
        ("Mr. T.", "mr-t"),
        ("Mr. T", "mister"),
    ],
)
def test_quotes_and_backticks_around_a_name_are_dropped(text: str, name: str) -> None:
    assert find_quoted(text, NAMES.find) == name


@pytest.mark.parametrize(
    "text",
    ["", " ", '""', "`", "“”", "**", ".", 'Me"tal Mill', '"Metal" Mill', "*Metal* Mill", ":nothing: Forge"],
)
def test_quotes_alone_or_within_a_name_make_no_name(text: str) -> None:
    with pytest.raises(UnknownMachine):
        find_quoted(text, NAMES.find)


# --- which machine ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argument", "target"),
    [
        ("metal-mill", Target("metal-mill")),
        ("Metal Mill", Target("metal-mill")),
        ("METAL MILL", Target("metal-mill")),
        ("große straße", Target("strasse")),
        ("GROSSE STRASSE", Target("strasse")),
        ("“Metal Mill”", Target("metal-mill")),
        ("`metal-mill`", Target("metal-mill")),
        ("Metal Mill: belt slips", Target("metal-mill", "belt slips")),
        ("Metal Mill : belt slips", Target("metal-mill", "belt slips")),
        ("Metal Mill:belt slips", Target("metal-mill", "belt slips")),
        ("“Metal Mill”: belt slips", Target("metal-mill", "belt slips")),
        ('"Metal Mill: belt slips"', Target("metal-mill", 'belt slips"')),
        ("Metal Mill:", Target("metal-mill")),
        ("Metal Mill: : ", Target("metal-mill", ":")),
        ("Metal Mill: since 10:30: belt", Target("metal-mill", "since 10:30: belt")),
        ("MIG Welder: Bay 2", Target("welder")),
        ("mig welder: bay 2", Target("welder")),
        ("'MIG Welder: Bay 2'", Target("welder")),
        ("MIG Welder: Bay 2: no gas", Target("welder", "no gas")),
        ("MIG Welder: Bay 2: no gas: empty", Target("welder", "no gas: empty")),
        ("MIG Welder: no gas", Target("mig", "no gas")),
        ("MIG Welder: Bay 22", Target("mig", "Bay 22")),
        ("shop.io", Target("shop")),
        ("shop.io: dark", Target("shop", "dark")),
        ('16" cutter &amp; &lt;shear&gt;', Target("cutter")),
        ("Metal Mill: “belt” slips", Target("metal-mill", "“belt” slips")),
        ("Metal Mill - belt slips", Target("metal-mill", "belt slips")),
        ("Metal Mill – belt slips", Target("metal-mill", "belt slips")),
        ("Metal Mill — belt – slips", Target("metal-mill", "belt – slips")),
        ("Metal Mill -- belt slips: badly", Target("metal-mill", "belt slips: badly")),
        ("metal-mill - belt slips", Target("metal-mill", "belt slips")),
        ("Saw - Big", Target("big")),
        ("Saw – Big - dull", Target("big", "dull")),
        ("Saw - Bigger", Target("saw", "Bigger")),
        ("*Metal Mill*: belt slips", Target("metal-mill", "belt slips")),
        ("*Metal Mill:* belt slips", Target("metal-mill", "belt slips")),
        ("`Metal Mill: belt slips`", Target("metal-mill", "belt slips")),
        ("Metal Mill.", Target("metal-mill")),
        ("Metal Mill!: belt", Target("metal-mill", "belt")),
        (":fire: Forge: hot", Target("forge", "hot")),
        (":fire: Forge - :fire: hot", Target("forge", ":fire: hot")),
        ("Metal Mill: 10:30 :fire: there", Target("metal-mill", "10:30 :fire: there")),
        ("Metal Mill: ask <@U0BOB>", Target("metal-mill", "ask bob", "ask a member")),
        ("Metal Mill: ask <@U0BOB|b> or <@U9>", Target("metal-mill", "ask bob or U9", "ask a member or a member")),
        ("Metal Mill: ask <@U0EVIL>", Target("metal-mill", "ask <!here> & *all*", "ask a member")),
        ("Metal Mill: see <https://w/m|the wiki>", Target("metal-mill", "see the wiki (https://w/m)")),
        ("Metal Mill: see <https://w/m>", Target("metal-mill", "see https://w/m")),
        ("Metal Mill: see <http://shop.io|shop.io>", Target("metal-mill", "see shop.io")),
        ("Metal Mill: <mailto:a@b.io|a@b.io>", Target("metal-mill", "a@b.io")),
        ("Metal Mill: <mailto:a@b.io|Ann>", Target("metal-mill", "Ann (mailto:a@b.io)")),
        ("Metal Mill: <!subteam^S1|@admins> <!here>", Target("metal-mill", "@admins @here")),
        ("Metal Mill: since <!date^1^{ago}|Feb 18>", Target("metal-mill", "since Feb 18")),
        ("Metal Mill <https://w/m|a: b>: belt", None),
    ],
)
def test_a_name_or_alias_is_found_exactly_and_a_reason_follows_a_colon_or_dash(
    argument: str, target: Target | None
) -> None:
    if target is None:
        with pytest.raises(UnknownMachine):
            called(argument)
    else:
        assert called(argument) == target


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lock Metal Mill when free", Target("metal-mill", when_free=True)),
        ("lock *Metal Mill*  When  FREE: new belt", Target("metal-mill", "new belt", when_free=True)),
        ("lock Metal Mill, when free - new belt", Target("metal-mill", "new belt", when_free=True)),
        ("lock Metal Mill: when free", Target("metal-mill", when_free=True)),
        ("lock Metal Mill - _When  free._", Target("metal-mill", when_free=True)),
        ("lock Metal Mill\nwhen free!", Target("metal-mill", when_free=True)),
        ("lock Metal Mill when free: when free", Target("metal-mill", when_free=True)),
        ("lock Metal Mill: when free of chips", Target("metal-mill", "when free of chips")),
        ("lock Metal Mill when free.", Target("metal-mill", when_free=True)),
        ("lock Booth when free", Target("booth")),
        ("lock Booth when free when free", Target("booth", when_free=True)),
    ],
)
def test_a_lock_may_wait_until_the_machine_is_free(text: str, expected: Target) -> None:
    def find(name: str) -> str:
        return "booth" if name.casefold() == "booth when free" else NAMES.find(name)

    assert resolve(at_bot(text), find, name_of) == expected


def test_nothing_but_a_lock_waits() -> None:
    with pytest.raises(UnknownMachine):
        target("oops Metal Mill when free")


@pytest.mark.parametrize("text", ["oops <http://shop.io|shop.io>", "oops <http://shop.io|shop.io>: dark"])
def test_a_name_that_slack_made_a_link_is_found(text: str) -> None:
    assert target(text).name == "shop"


def test_a_name_with_every_kind_of_escape_is_found() -> None:
    text = 'oops “16" Cutter &amp; &lt;Shear&gt;”: <!here> &amp; now'
    assert target(text) == Target("cutter", "@here & now")


@pytest.mark.parametrize(
    "argument",
    ["Metal", "Metal Mil", "Metal Mills", "Metal Mill belt slips", "metal mill-", "metalmill", "metal_mill"],
)
def test_a_near_miss_is_suggested_and_never_found(argument: str) -> None:
    with pytest.raises(UnknownMachine) as raised:
        called(argument)
    assert raised.value.name == argument
    assert "Metal Mill" in raised.value.suggestions or "metal-mill" in raised.value.suggestions


@pytest.mark.parametrize("argument", ["", " ", ":", ": belt slips", "::"])
def test_no_name_is_no_machine(argument: str) -> None:
    with pytest.raises(UnknownMachine) as raised:
        called(argument)
    assert raised.value.name == ""


def test_what_is_unknown_is_the_part_before_the_first_colon() -> None:
    with pytest.raises(UnknownMachine) as raised:
        called("“Metl Mill”: belt: slips")
    assert raised.value.name == "Metl Mill"


def test_a_long_reason_is_cut_and_its_end_marked() -> None:
    reason = called("Metal Mill: " + "x" * 4000).reason
    assert reason == "x" * (LONGEST_REASON - 1) + "…"
    assert called("Metal Mill: " + "x" * LONGEST_REASON).reason == "x" * LONGEST_REASON


def test_4000_characters_of_anything_are_no_machine() -> None:
    for argument in ("x" * 4000, "x:" * 2000, ":" * 4000, "<" * 4000, "a " * 2000, "‘" * 4000):
        command = at_bot(f"oops {argument}")
        assert command.verb is Verb.OOPS
        with pytest.raises(UnknownMachine):
            resolve(command, NAMES.find, name_of)


def test_a_word_of_4000_characters_is_not_repeated_whole() -> None:
    assert len(at_bot("x" * 4000).unknown) == 40


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\u200b", "\u202e", "\ufeff"])
def test_control_characters_in_a_name_name_no_machine(character: str) -> None:
    with pytest.raises(UnknownMachine):
        target(f"oops Metal{character}Mill")


@pytest.mark.parametrize("argument", ['Router 24"', 'router 24": belt slips', '“Router 24"”', '`Router 24"`'])
def test_a_quote_that_belongs_to_the_name_is_no_quote_around_it(argument: str) -> None:
    assert called(argument).name == "router"


# --- anything at all ----------------------------------------------------------------------------------

REFERENCES = (f"<@{BOT}>", f"<@{BOT}|mac>", "<@U1>", "<!here>", "<#C1|general>", "<http://x|x>", "&amp;", "&lt;")
WORDS = (*Verb, "list", "Metal Mill", "metal-mill", "MIG Welder: Bay 2", "shop.io", 'Router 24"')
SIGNS = (*' \t\n:`"“”<>|@#!&\0\u2028é😀', NBSP)
PIECES = st.sampled_from((*REFERENCES, *WORDS, *SIGNS))
TEXT = st.one_of(st.text(), st.lists(PIECES).map("".join), st.text(alphabet="<@!#|>&:`\"' \n;amplt"))


@given(TEXT)
@example(f"<@{BOT}>")
@example(f"<@{BOT}>\u2028status")
@example("<@>")
def test_no_text_makes_the_parser_fail(text: str) -> None:
    command = parse(text, BOT)
    assert isinstance(command, ParsedCommand)
    assert "\n" not in command.argument
    assert len(command.unknown) <= 40


@given(TEXT)
def test_no_command_comes_of_a_text_without_the_mention(text: str) -> None:
    assert parse("x" + text, BOT).verb is Verb.HELP


@given(TEXT)
@example("Metal Mill: x")
@example("MIG Welder: Bay 2: x")
def test_only_a_name_that_was_found_is_ever_returned(text: str) -> None:
    found: list[str] = []

    def find(called: str) -> str:
        found.append(NAMES.find(called))
        return found[-1]

    command = at_bot(f"oops {text}")
    try:
        target = resolve(command, find, name_of)
    except UnknownMachine:
        assert not found
    else:
        assert [target.name] == found
        assert target.reason is None or 0 < len(target.reason) <= LONGEST_REASON


@given(TEXT)
def test_what_the_finder_never_finds_is_never_resolved(text: str) -> None:
    def find(called: str) -> str:
        raise UnknownMachine(called)

    with pytest.raises(UnknownMachine):
        called(text, find)
