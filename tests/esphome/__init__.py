"""Readers by their native API."""
