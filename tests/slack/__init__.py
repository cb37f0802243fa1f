"""The Slack side, tested with the real clients against a local stand-in workspace (`workspace.Workspace`)."""
