"""MQTT: what machines are like, for a broker; and commands from it, where that is allowed."""
