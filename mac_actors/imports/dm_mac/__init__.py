"""States of the old server, dm_mac."""
