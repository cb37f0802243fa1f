"""The shipped firmware, compiled as a Linux program, against the real server."""
