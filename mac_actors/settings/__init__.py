"""All that is read from outside at the start: the environment and the two configuration files."""

from __future__ import annotations

from mac_actors.core.config import Configuration
from mac_actors.settings.environment import Settings, SlackSettings, Tokens, from_environment
from mac_actors.settings.files import parse

__all__ = ["Settings", "SlackSettings", "Tokens", "from_environment", "load", "parse"]


def load(settings: Settings, *, machines: bool = True) -> Configuration:
    """Read both files (``machines=False``: the users alone).

    Raises :class:`~mac_actors.errors.ConfigError` with all that is wrong in them.
    """
    return parse(
        settings.machines_config if machines else {},
        settings.users_config,
        enforce_expiration=settings.enforce_expiration,
    )
