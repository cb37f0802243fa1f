"""A Slack workspace on this machine, for the real Bolt and SDK clients: see README.md."""
