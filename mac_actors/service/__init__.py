"""A server as a process: what is started and stopped, messages to systemd, signals, the log."""
