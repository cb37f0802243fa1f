"""What is between one Slack user and the server."""
