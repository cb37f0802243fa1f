"""Webhooks: how an event gets to its receiver."""
