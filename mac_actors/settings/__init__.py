"""All that is read from outside at the start: the environment and the two configuration files."""

from mac_actors.settings.environment import MqttSettings, Settings, SlackSettings, Tokens, from_environment

__all__ = ["MqttSettings", "Settings", "SlackSettings", "Tokens", "from_environment"]
