"""A Slack workspace on this machine, for the real Bolt and SDK clients: the Web API and Socket Mode.

:class:`~tests.slack.standin.workspace.Workspace` is what tests use: people say something there, and what the bot
posted is read there. It records all requests, refuses what Slack would refuse, and misbehaves on demand.
"""
