"""slack.json: what it may say, and what is said of mistakes."""

from __future__ import annotations

import json
from datetime import time, timedelta
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.routing import AT_ONCE, LINES, Mode, QuietHours, Routing
from mac_actors.errors import ConfigError
from mac_actors.settings import from_environment
from mac_actors.settings.files import load, parse
from tests.fakes import sample_machines, sample_users

ALL: dict[str, Any] = {
    "lines": {"session_started": "digest", "rebooted": "off", "server": "now"},
    "digest_minutes": 30,
    "quiet_hours": {
        "from": "22:00",
        "to": "07:30",
        "control_channel": ["server", "oops_set"],
        "oops_channel": ["cleared"],
    },
    "remind_after_days": {"oops": 3, "lock": 0.5},
}


def routing(data: Any) -> Routing:
    return parse(sample_machines(), sample_users(), slack=data).routing


def problems(data: Any) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        parse(sample_machines(), sample_users(), slack=data)
    return list(raised.value.problems)


def test_everything_that_it_can_say() -> None:
    assert routing(ALL) == Routing(
        {"session_started": Mode.DIGEST, "rebooted": Mode.OFF, "server": Mode.NOW},
        30,
        QuietHours(time(22), time(7, 30), frozenset({"server", "oops_set"}), frozenset({"cleared"})),
        {"oops": timedelta(days=3), "lock": timedelta(hours=12)},
    )


def test_what_is_left_out_is_as_without_the_file() -> None:
    assert routing({}) == AT_ONCE
    quiet = routing({"quiet_hours": {"from": "22:00", "to": "07:00"}}).quiet
    assert quiet == QuietHours(time(22), time(7))
    assert routing({"remind_after_days": {"oops": 1}}).remind_after == {"oops": timedelta(days=1)}


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (
            [],
            f"slack: expected an object with some of the keys {', '.join(ALL)}, not []",
        ),
        ({"line": {}}, "slack: line: is not a known key; look for a typing error"),
        ({"lines": {"rebooted": "of"}}, "slack: lines.rebooted: expected 'now', 'digest' or 'off', not \"of\""),
        (
            {"lines": {"oops_set": "off"}},
            f'slack: lines.oops_set: expected one of {", ".join(LINES)}, not "oops_set"',
        ),
        ({"digest_minutes": 0}, "slack: digest_minutes: Input should be greater than or equal to 1, not 0"),
        ({"quiet_hours": {"from": "22:00"}}, "slack: quiet_hours.to: is required"),
        (
            {"quiet_hours": {"from": "22", "to": "7:00"}},
            'slack: quiet_hours.from: expected a time of the day like 22:00, not "22"',
        ),
        *(
            ({"quiet_hours": {"from": "22:00", "to": text}}, "slack: quiet_hours.to: expected a time of the day like")
            for text in ("22.30", "22,30", "T2230", "24:00", "２２:00", "22:00 ")
        ),
        ({"remind_after_days": {"oops": 0}}, "slack: remind_after_days.oops: Input should be greater than 0, not 0"),
    ],
)
def test_a_mistake_is_said_with_its_place(data: Any, line: str) -> None:
    assert any(problem.startswith(line) for problem in problems(data))


def test_mistakes_of_all_files_are_said_at_once(tmp_path: Path) -> None:
    paths = {name: tmp_path / f"{name}.json" for name in ("machines", "users", "slack")}
    paths["machines"].write_text(json.dumps({"mill": {"authorizations_or": [], "slack_channel": "#oops"}}))
    paths["users"].write_text("{}")
    paths["slack"].write_text('{"digest_minutes": "1"}')
    settings = from_environment(
        {f"{name.upper()}_CONFIG": str(path) for name, path in paths.items()},
    )
    with pytest.raises(ConfigError) as raised:
        load(settings)
    assert [line.partition(": ")[2].partition(", ")[0] for line in raised.value.problems] == [
        "mill.slack_channel: expected the id of a channel",
        "expected a list of users",
        "digest_minutes: Input should be a valid integer",
    ]


def test_the_file_may_be_missing_unless_it_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "machines.json").write_text("{}")
    (tmp_path / "users.json").write_text("[]")
    assert load(from_environment({})).routing == AT_ONCE
    with pytest.raises(ConfigError, match="there is no such file"):
        load(from_environment({"SLACK_CONFIG": "quiet.json"}))
    (tmp_path / "slack.json").write_text('{"digest_minutes": 5}')
    assert load(from_environment({})).routing.digest_minutes == 5
    assert load(from_environment({}), machines=False).routing == AT_ONCE
    assert load(from_environment({})).slack_channels == {}
