"""Readers and shops that do not exist: for the demo, for load, for trying things out."""
