"""What is between one Slack user and the server: which account they are, their switches, their App Home."""
