"""What is said of files with mistakes in them."""

from __future__ import annotations

from typing import Any

import pytest

from mac_actors.errors import ConfigError
from mac_actors.settings.files import parse
from tests.fakes import sample_machines, sample_users, user


def problems(machines: Any = None, users: Any = None) -> list[str]:
    """Return what is said of these."""
    with pytest.raises(ConfigError) as error:
        parse(sample_machines() if machines is None else machines, sample_users() if users is None else users)
    assert str(error.value) == "\n".join(error.value.problems)
    for line in error.value.problems:
        assert "\n" not in line
        line.encode()  # it can be printed
    return list(error.value.problems)


def of_machine(**entry: Any) -> list[str]:
    """Return what is said of one machine."""
    return problems({"metal-mill": {"authorizations_or": ["mill"], **entry}})


def of_user(**entry: Any) -> list[str]:
    """Return what is said of one user."""
    return problems(users=[{**user("1", "Ann Able", ["1"], ["mill"]), **entry}])
