"""The people of a fleet: its users, the unknown fobs, and who is logged in."""
