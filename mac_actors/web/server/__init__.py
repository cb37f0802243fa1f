"""cheroot as it is set up here: connections, buffers, fair turns, TLS."""
