"""Attacks on a real server, beside honest readers."""
