"""What the file of the webhooks may say."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from mac_actors.core.outcomes import KINDS
from mac_actors.errors import ConfigError
from mac_actors.settings import from_environment
from mac_actors.settings.files import load, parse
from tests.webhooks.receiver import SECRET

RIGHT = {"url": "https://example.org/x?key=hidden", "secret": SECRET}


def of_webhook(**entry: Any) -> list[str]:
    """Return what is said of one webhook."""
    with pytest.raises(ConfigError) as error:
        parse({}, [], {"shop": {**RIGHT, **entry}})
    return list(error.value.problems)


def test_a_webhook_has_all_kinds_and_no_names_unless_it_says_so() -> None:
    (webhook,) = parse({}, [], {"shop": RIGHT}).webhooks.values()
    assert (webhook.kinds, webhook.names) == (frozenset(KINDS), False)
    assert "hidden" not in repr(webhook)
    assert SECRET not in repr(webhook)
    some = parse({}, [], {"shop": {**RIGHT, "kinds": ["oops_set"], "names": True}}).webhooks["shop"]
    assert (some.kinds, some.names) == (frozenset({"oops_set"}), True)


@pytest.mark.parametrize(
    "url",
    ["", "example.org", "ftp://example.org", "http://", "http://h:0/", "http://h:x/", "http://a:b@h/", "http://h/ü#"],
)
def test_a_wrong_url_is_an_error_that_does_not_show_it(url: str) -> None:
    (line,) = of_webhook(url=url)
    assert line == (
        "webhooks: shop.url: expected a URL that begins with http:// or https://, plain ASCII, "
        "without a user and password"
    )


@pytest.mark.parametrize(
    "secret",
    ["", "whsec_", "x" * 40, SECRET[6:], "whsec_%%%%", SECRET + "ü", f"whsec_{base64.b64encode(b'x' * 65).decode()}"],
)
def test_a_wrong_secret_is_an_error_that_does_not_show_it(secret: str) -> None:
    (line,) = of_webhook(secret=secret)
    assert line.startswith("webhooks: shop.secret: expected whsec_ and 24 to 64 random bytes")
    assert line.endswith("echo whsec_$(openssl rand -base64 32)")


def test_an_address_in_the_place_of_an_entry_is_an_error_that_does_not_show_it() -> None:
    for entry, what in ((RIGHT["url"], "a string"), ([RIGHT["url"]], "a list"), (None, "null"), (7, "a number")):
        with pytest.raises(ConfigError) as error:
            parse({}, [], {"shop": entry})
        assert error.value.problems == (f"webhooks: shop: expected an object, not {what}",)
    with pytest.raises(ConfigError) as error:
        parse({}, [], [RIGHT["url"]])  # type: ignore[arg-type]
    assert error.value.problems == ("webhooks: expected an object: webhook name → its settings, not a list",)


@pytest.mark.parametrize(
    ("kinds", "said"),
    [
        ("some", 'shop.kinds: expected "all", or a list of kinds of events, not empty'),
        ([], 'shop.kinds: expected "all", or a list of kinds of events, not empty'),
        ({}, "shop.kinds: expected a list"),
        (["oops_set", "oopset"], "shop.kinds[1]: expected a kind of event: did you mean 'oops_set'?"),
        (["zzzz"], "shop.kinds[0]: expected one of "),
    ],
)
def test_wrong_kinds_are_an_error(kinds: object, said: str) -> None:
    (line,) = of_webhook(kinds=kinds)
    assert said in line


def test_all_mistakes_of_all_files_are_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "webhooks.json"
    path.write_text('{"Shop!": {"url": "https://h/", "sekret": 1}}')
    settings = from_environment({"MAC_WEBHOOKS": str(path), "MACHINES_CONFIG": "/no/such/file"})
    with pytest.raises(ConfigError) as error:
        load(settings)
    lines = [line for line in error.value.problems if line.startswith(str(path))]
    assert lines == [
        f"{path}: Shop!: a webhook's name has only the characters a-z, 0-9, _ and -",
        f"{path}: Shop!.secret: is required",
        f"{path}: Shop!.sekret: is not a known key; look for a typing error",
    ]
    assert len(error.value.problems) > 3


@pytest.mark.parametrize("text", ["[]", "7", ""])
def test_a_file_that_is_no_object_is_an_error(tmp_path: Path, text: str) -> None:
    path = tmp_path / "webhooks.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"expected an object: webhook name|not JSON"):
        parse({}, [], path)
