"""People, in Slack: whose an unknown fob is, who is authorized, and the way to the board."""
