"""Users: the users file, and what was changed at the server over it."""
