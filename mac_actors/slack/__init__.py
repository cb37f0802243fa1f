"""Slack: commands from admins, answers, and the channels that notices are posted to. Bolt in Socket Mode."""
