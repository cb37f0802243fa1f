"""A server as a process: what is started and stopped, what systemd is told, signals, the log."""
