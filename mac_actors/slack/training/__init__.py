"""People, in Slack: whose an unknown fob is, who is authorized for what, and the way to the board."""
