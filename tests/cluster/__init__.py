"""Two servers that are one."""
