"""From what people type in Slack to a command, and from its argument to a machine: tables, and arbitrary text."""

from __future__ import annotations

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
    ]
)


def at_bot(text: str, sender: str = BOT) -> ParsedCommand:
    return parse(f"<@{BOT}> {text}", sender)


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
        ("", ParsedCommand(Verb.HELP)),
        ("   ", ParsedCommand(Verb.HELP)),
        ("frobnicate Metal Mill", ParsedCommand(Verb.HELP, unknown="frobnicate")),
        ("oopsie Metal Mill", ParsedCommand(Verb.HELP, unknown="oopsie")),
        ("oops: Metal Mill", ParsedCommand(Verb.HELP, unknown="oops:")),
        ("unlock Metal Mill", ParsedCommand(Verb.HELP, unknown="unlock")),
        ("clear-all", ParsedCommand(Verb.HELP, unknown="clear-all")),
        ("😀", ParsedCommand(Verb.HELP, unknown="😀")),
    ],
)
def test_the_first_word_is_the_command_and_the_rest_of_the_line_its_argument(text: str, command: ParsedCommand) -> None:
    assert at_bot(text) == command


def test_what_changes_something_is_oops_lock_and_clear() -> None:
    assert {Verb.OOPS, Verb.LOCK, Verb.CLEAR} == CHANGING


@pytest.mark.parametrize("space", [" ", "   ", "\t", NBSP, f" {NBSP}\t ", "\N{IDEOGRAPHIC SPACE}", "\N{EM SPACE}"])
def test_white_space_of_any_kind_may_be_repeated(space: str) -> None:
    text = f"{space}<@{BOT}>{space}oops{space}Metal{space}Mill{space}"
    assert parse(text, BOT) == ParsedCommand(Verb.OOPS, "Metal Mill")


def test_the_mention_needs_no_space_after_it() -> None:
    assert parse(f"<@{BOT}>oops Metal Mill", BOT) == ParsedCommand(Verb.OOPS, "Metal Mill")


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
        f"*<@{BOT}>* oops Metal Mill",
        f"<!here> <@{BOT}> oops Metal Mill",
        "oops Metal Mill",
        "",
        f"&lt;@{BOT}&gt; oops Metal Mill",
        f"<@{BOT.lower()}> oops Metal Mill",
    ],
)
def test_a_message_that_does_not_begin_with_the_mention_of_the_bot_is_no_command(text: str) -> None:
    assert parse(text, BOT).verb is Verb.HELP


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\n\n"])
def test_a_command_is_the_first_line_alone(end: str) -> None:
    assert at_bot(f"oops Metal Mill: belt{end}clear Metal Mill") == ParsedCommand(Verb.OOPS, "Metal Mill: belt")


def test_a_first_line_without_a_command_asks_for_help() -> None:
    assert parse(f"<@{BOT}>\noops Metal Mill", BOT) == ParsedCommand(Verb.HELP)


def test_lines_before_the_mention_are_white_space_too() -> None:
    assert parse(f"\n\n<@{BOT}> status\nnow", BOT) == ParsedCommand(Verb.STATUS)


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
    ],
)
def test_quotes_and_backticks_around_a_name_are_dropped(text: str, name: str) -> None:
    assert find_quoted(text, NAMES.find) == name


@pytest.mark.parametrize("text", ["", " ", '""', "`", "“”", 'Me"tal Mill', '"Metal" Mill'])
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
        ('16" cutter & <shear>', Target("cutter")),
        ("Metal Mill: “belt” slips", Target("metal-mill", "“belt” slips")),
    ],
)
def test_a_name_or_alias_is_found_exactly_and_a_reason_follows_a_colon(argument: str, target: Target) -> None:
    assert resolve(argument, NAMES.find) == target


@pytest.mark.parametrize("text", ["oops <http://shop.io|shop.io>", "oops <http://shop.io|shop.io>: dark"])
def test_a_name_that_slack_made_a_link_is_found(text: str) -> None:
    assert resolve(at_bot(text).argument, NAMES.find).name == "shop"


def test_a_name_with_every_kind_of_escape_is_found() -> None:
    command = at_bot('oops “16" Cutter &amp; &lt;Shear&gt;”: <!here> &amp; now')
    assert resolve(command.argument, NAMES.find) == Target("cutter", "@here & now")


@pytest.mark.parametrize(
    "argument",
    ["Metal", "Metal Mil", "Metal Mills", "Metal Mill belt slips", "metal mill-", "metalmill", "metal_mill"],
)
def test_a_near_miss_is_suggested_and_never_found(argument: str) -> None:
    with pytest.raises(UnknownMachine) as raised:
        resolve(argument, NAMES.find)
    assert raised.value.name == argument
    assert "Metal Mill" in raised.value.suggestions or "metal-mill" in raised.value.suggestions


@pytest.mark.parametrize("argument", ["", " ", ":", ": belt slips", "::"])
def test_no_name_is_no_machine(argument: str) -> None:
    with pytest.raises(UnknownMachine) as raised:
        resolve(argument, NAMES.find)
    assert raised.value.name == ""


def test_what_is_unknown_is_the_part_before_the_first_colon() -> None:
    with pytest.raises(UnknownMachine) as raised:
        resolve("“Metl Mill”: belt: slips", NAMES.find)
    assert raised.value.name == "Metl Mill"


def test_a_long_reason_is_cut_and_its_end_marked() -> None:
    reason = resolve("Metal Mill: " + "x" * 4000, NAMES.find).reason
    assert reason == "x" * (LONGEST_REASON - 1) + "…"
    assert resolve("Metal Mill: " + "x" * LONGEST_REASON, NAMES.find).reason == "x" * LONGEST_REASON


def test_4000_characters_of_anything_are_no_machine() -> None:
    for argument in ("x" * 4000, "x:" * 2000, ":" * 4000, "<" * 4000, "a " * 2000, "‘" * 4000):
        command = at_bot(f"oops {argument}")
        assert command.verb is Verb.OOPS
        with pytest.raises(UnknownMachine):
            resolve(command.argument, NAMES.find)


def test_a_word_of_4000_characters_is_not_repeated_whole() -> None:
    assert len(at_bot("x" * 4000).unknown) == 40


@pytest.mark.parametrize("character", ["\0", "\x07", "\x1b", "\x7f", "\u200b", "\u202e", "\ufeff"])
def test_control_characters_in_a_name_name_no_machine(character: str) -> None:
    with pytest.raises(UnknownMachine):
        resolve(at_bot(f"oops Metal{character}Mill").argument, NAMES.find)


@pytest.mark.parametrize("argument", ['Router 24"', 'router 24": belt slips', '“Router 24"”', '`Router 24"`'])
def test_a_quote_that_belongs_to_the_name_is_no_quote_around_it(argument: str) -> None:
    assert resolve(argument, NAMES.find).name == "router"


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

    argument = at_bot(f"oops {text}").argument
    try:
        target = resolve(argument, find)
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
        resolve(plain(text), find)
