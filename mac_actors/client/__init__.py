"""A running server from outside: its HTTP API, its journal as it grows, its machines as a fleet."""
