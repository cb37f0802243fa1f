"""The environment, variable by variable."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from mac_actors.errors import ConfigError
from mac_actors.settings import MqttSettings, Settings, SlackSettings, Tokens, from_environment
from mac_actors.settings.cell import Cell

SLACK = {
    "SLACK_APP_TOKEN": "xapp-1",
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_SIGNING_SECRET": "abc",
    "SLACK_CONTROL_CHANNEL_ID": "C1",
    "SLACK_OOPS_CHANNEL_ID": "C2",
}


def problems(**environ: str) -> list[str]:
    """Return what is said of this environment."""
    with pytest.raises(ConfigError) as error:
        from_environment(environ)
    assert all("\n" not in line for line in error.value.problems)
    return list(error.value.problems)


def test_an_empty_environment_gives_the_defaults_of_the_contract() -> None:
    settings = from_environment({})
    assert settings == Settings()
    assert dataclasses.asdict(settings) == {
        "machines_config": Path("machines.json"),
        "users_config": Path("users.json"),
        "state_dir": Path("machine_state"),
        "host": "0.0.0.0",
        "port": 5000,
        "tokens": {"admin": None, "reader": None, "reader_api": None},
        "reader_api_keys": None,
        "public_names": False,
        "base_url": None,
        "trusted_proxies": None,
        "tls_cert": None,
        "tls_key": None,
        "enforce_expiration": False,
        "report_seconds": 10.0,
        "commit_budget": 0.25,
        "cell": {"database": None, "node_url": None, "secret": None, "lease_seconds": 3},
        "missing_readers": "seen",
        "retention_days": None,
        "webhooks": None,
        "mqtt": None,
        "space": {"name": None, "logo": None, "embed_origins": None, "space_api": None},
        "language": "en",
        "slack": None,
        "slack_config": Path("slack.json"),
    }


@pytest.mark.parametrize(
    ("variable", "value", "field", "expected"),
    [
        ("MACHINES_CONFIG", "/etc/mac/m.json", "machines_config", Path("/etc/mac/m.json")),
        ("USERS_CONFIG", "u s.json", "users_config", Path("u s.json")),
        ("MACHINE_STATE_DIR", "/var/lib/mac", "state_dir", Path("/var/lib/mac")),
        ("MAC_HOST", "127.0.0.1", "host", "127.0.0.1"),
        ("MAC_HOST", "::", "host", "::"),
        ("MAC_PORT", "0", "port", 0),
        ("MAC_PORT", "65535", "port", 65535),
        ("MAC_PORT", " 8080 ", "port", 8080),
        ("MAC_ADMIN_TOKEN", "secret", "tokens", Tokens(admin="secret")),
        ("MAC_READER_TOKEN", "secret", "tokens", Tokens(reader="secret")),
        ("MAC_PUBLIC_NAMES", "1", "public_names", True),
        ("MAC_PUBLIC_NAMES", "0", "public_names", False),
        ("MAC_ENFORCE_EXPIRATION", "1", "enforce_expiration", True),
        ("MAC_ENFORCE_EXPIRATION", "0", "enforce_expiration", False),
        ("MAC_REPORT_SECONDS", "0", "report_seconds", 0.0),
        ("MAC_REPORT_SECONDS", "2.5", "report_seconds", 2.5),
        ("MAC_COMMIT_BUDGET", "1.5", "commit_budget", 1.5),
        ("MAC_COMMIT_BUDGET", "0", "commit_budget", 0.0),
        ("MAC_COMMIT_BUDGET", ".1", "commit_budget", 0.1),
        ("MAC_RETENTION_DAYS", "1", "retention_days", 1),
        ("MAC_RETENTION_DAYS", "365", "retention_days", 365),
    ],
)
def test_each_variable_sets_its_setting_alone(variable: str, value: str, field: str, expected: Any) -> None:
    assert from_environment({variable: value}) == dataclasses.replace(Settings(), **{field: expected})


@pytest.mark.parametrize(
    "variable",
    [
        "MACHINES_CONFIG",
        "USERS_CONFIG",
        "MACHINE_STATE_DIR",
        "MAC_HOST",
        "MAC_PORT",
        "MAC_ADMIN_TOKEN",
        "MAC_READER_TOKEN",
        "MAC_PUBLIC_NAMES",
        "MAC_TLS_CERT",
        "MAC_TLS_KEY",
        "MAC_ENFORCE_EXPIRATION",
        "MAC_COMMIT_BUDGET",
        "MAC_RETENTION_DAYS",
        "SLACK_APP_TOKEN",
        "SLACK_BOT_TOKEN",
        "SLACK_API_URL",
    ],
)
@pytest.mark.parametrize("empty", ["", " ", "\t\n"])
def test_an_empty_variable_counts_as_not_set(variable: str, empty: str) -> None:
    assert from_environment({variable: empty}) == Settings()


def test_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAC_PORT", "1234")
    assert from_environment().port == 1234


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        *(
            ("MAC_PORT", value, "a whole number from 0 to 65535")
            for value in ("65536", "-1", "abc", "5000.5", "5e3", "0x10", "٣", "5 000", "9" * 40)
        ),
        *(
            (variable, value, "0 or 1")
            for variable in ("MAC_PUBLIC_NAMES", "MAC_ENFORCE_EXPIRATION")
            for value in ("yes", "true", "2", "-1", "01", "no", "１")
        ),
        *(
            ("MAC_COMMIT_BUDGET", value, "a number from 0 to 60")
            for value in ("nan", "inf", "-0.1", "-1", "60.01", "61", "1,5", "1e-3", "fast", "½", "9" * 40)
        ),
        *(
            ("MAC_RETENTION_DAYS", value, "a whole number from 1 to 36500")
            for value in ("0", "-1", "1.5", "a year", "36501", "٣")
        ),
        *(
            ("MAC_BASE_URL", f"https://a.example{end}", "an address like http://workshop.local:5000")
            for end in ("/\u200b", " b", ":0")
        ),
        ("MAC_TLS_CERT", "/nowhere/cert.pem", "the path of a file"),
        ("MAC_TLS_KEY", "/nowhere/key.pem", "the path of a file"),
        ("MAC_TLS_CERT", "/", "the path of a file"),
        ("MAC_TRUSTED_PROXIES", "10.0.0.", "addresses and networks, separated by commas"),
        ("MAC_TRUSTED_PROXIES", "10.0.0.1,,10.0.0.2", "addresses and networks, separated by commas"),
        ("MAC_TRUSTED_PROXIES", "10.0.0.1/24", "host bits set"),
    ],
)
def test_a_bad_value_is_said_with_its_variable_and_what_is_allowed(variable: str, value: str, allowed: str) -> None:
    line = problems(**{variable: value})[0]
    assert line.startswith(f"{variable} is {value!r}: allowed is ")
    assert allowed in line


@pytest.mark.parametrize("variable", ["MAC_ADMIN_TOKEN", "MAC_READER_TOKEN"])
@pytest.mark.parametrize("value", ["two words", "tübe", "tab\there", "nul\x00"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(variable: str, value: str) -> None:
    [line] = problems(**{variable: value})
    assert variable in line
    assert "allowed" in line
    assert value not in line


def test_all_bad_values_are_said_at_once() -> None:
    lines = problems(MAC_PORT="x", MAC_PUBLIC_NAMES="x", MAC_COMMIT_BUDGET="x", MAC_ENFORCE_EXPIRATION="x")
    assert [line.split()[0] for line in lines] == [
        "MAC_PORT",
        "MAC_PUBLIC_NAMES",
        "MAC_ENFORCE_EXPIRATION",
        "MAC_COMMIT_BUDGET",
    ]


@pytest.mark.parametrize(("have", "lack"), [("MAC_TLS_CERT", "MAC_TLS_KEY"), ("MAC_TLS_KEY", "MAC_TLS_CERT")])
def test_https_needs_both_files(tmp_path: Path, have: str, lack: str) -> None:
    path = tmp_path / "x.pem"
    path.write_text("x")
    [line] = problems(**{have: str(path)})
    assert line.startswith(f"{lack} is not set")
    assert have in line


def test_https_with_both_files(tmp_path: Path) -> None:
    path = tmp_path / "x.pem"
    path.write_text("x")
    settings = from_environment({"MAC_TLS_CERT": str(path), "MAC_TLS_KEY": str(path)})
    assert (settings.tls_cert, settings.tls_key) == (path, path)


# Slack


def test_slack_is_on_with_all_five() -> None:
    assert from_environment(SLACK).slack == SlackSettings("xoxb-1", "xapp-1", "abc", "C1", "C2")
    with_url = from_environment({**SLACK, "SLACK_API_URL": "http://127.0.0.1:8099/api/"}).slack
    assert with_url
    assert with_url.api_url == "http://127.0.0.1:8099/api/"


@pytest.mark.parametrize("missing", sorted(SLACK.keys() - {"SLACK_APP_TOKEN"}))
@pytest.mark.parametrize("how", ["absent", "empty"])
def test_the_slack_variable_that_is_missing_is_named(missing: str, how: str) -> None:
    environ = {name: value for name, value in SLACK.items() if name != missing or how == "empty"}
    if how == "empty":
        environ[missing] = " "
    [line] = problems(**environ)
    assert line.startswith(f"{missing} is not set")
    assert "SLACK_APP_TOKEN" in line


def test_all_missing_slack_variables_are_named() -> None:
    lines = problems(SLACK_APP_TOKEN="xapp-1")
    assert {line.split()[0] for line in lines} == SLACK.keys() - {"SLACK_APP_TOKEN"}


def test_without_its_app_token_slack_is_off() -> None:
    environ = {name: value for name, value in SLACK.items() if name != "SLACK_APP_TOKEN"}
    assert from_environment({**environ, "SLACK_API_URL": "nonsense"}).slack is None


@pytest.mark.parametrize("url", ["127.0.0.1:8099", "ftp://x/", "http://", "https:// x", "slack.com/api/", "http://a b"])
def test_a_bad_slack_url_is_said(url: str) -> None:
    [line] = problems(**SLACK, SLACK_API_URL=url)
    assert line.startswith(f"SLACK_API_URL is {url!r}: allowed is ")


@pytest.mark.parametrize("variable", sorted(SLACK))
def test_a_slack_value_with_a_space_is_said_once_for_what_it_is(variable: str) -> None:
    lines = problems(**{**SLACK, variable: "two words"})
    assert len(lines) == 1, lines
    assert lines[0].startswith(variable)
    assert "space" in lines[0]


def test_a_server_of_a_cell_needs_a_database_and_the_secret() -> None:
    assert problems(MAC_NODE_URL="http://a:5000") == [
        "MAC_DATABASE is not set: a server with MAC_NODE_URL shares a database with others (docs/cell.rst)",
        "MAC_CLUSTER_SECRET is not set: servers with MAC_NODE_URL show it to each other (docs/cell.rst)",
    ]
    environ = {"MAC_NODE_URL": "http://a:5000/", "MAC_DATABASE": "postgresql://u:hidden@h/mac"}
    settings = from_environment({**environ, "MAC_CLUSTER_SECRET": "hidden-too", "MAC_LEASE_SECONDS": "1"})
    assert settings.cell == Cell("postgresql://u:hidden@h/mac", "http://a:5000", "hidden-too", 1)
    assert "hidden" not in repr(settings)


def test_a_wrong_database_is_an_error_that_does_not_show_it() -> None:
    (line,) = problems(MAC_DATABASE="mysql://u:hidden@h/mac")
    assert line == "MAC_DATABASE is no database's address: allowed is postgresql://USER:PASSWORD@HOST/NAME"


def test_secrets_are_not_part_of_what_is_shown() -> None:
    environ = {**SLACK, "MAC_ADMIN_TOKEN": "s3cret-a", "MAC_READER_TOKEN": "s3cret-r"}
    shown = repr(from_environment(environ))
    for secret in ("s3cret", "xapp-1", "xoxb-1", "abc"):
        assert secret not in shown
    assert "C1" in shown


@pytest.mark.parametrize(
    "url", ["1.2.3.4", "http://h", "mqtt://", "mqtt://h:x", "mqtt://h:0", "mqtt://h/a+b", "mqtt://h#x", "mqtt://h i"]
)
def test_a_wrong_broker_is_an_error_that_does_not_show_it(url: str) -> None:
    (line,) = problems(MAC_MQTT_URL=url)
    assert line == "MAC_MQTT_URL is no broker's address: allowed is mqtt://HOST or mqtts://USER:PASSWORD@HOST:PORT"


def test_a_broker_may_have_a_user_a_password_a_port_and_a_path() -> None:
    url = "mqtts://u:p%40ss@broker.example:8884/woodshop"
    settings = from_environment({"MAC_MQTT_URL": url, "MAC_MQTT_COMMANDS": "1"}).mqtt
    assert settings == MqttSettings(url, commands=True)
    assert "p%40ss" not in repr(settings)
    assert from_environment({"MAC_MQTT_COMMANDS": "1"}).mqtt is None


def test_the_password_of_a_broker_may_be_the_first_line_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    given = {"MAC_MQTT_URL": "mqtt://u@broker.example", "MAC_MQTT_PASSWORD_FILE": str(file)}
    file.write_bytes("\ufeffpässwort \r\nmore\n".encode())
    settings = from_environment(given).mqtt
    assert settings == MqttSettings("mqtt://u@broker.example", "pässwort")
    assert "pässwort" not in repr(settings)
    file.write_bytes("pässwort\n".encode("latin-1"))
    (line,) = problems(**given)
    assert line == (
        f"MAC_MQTT_PASSWORD_FILE is '{file}': allowed is the path of a file in UTF-8, which this one is not: save it "
        "anew as UTF-8"
    )
