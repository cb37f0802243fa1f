"""What speaks with Slack, tested with the real clients against a local stand-in workspace (`workspace.Workspace`)."""
