"""Every row of the Slack contract, said in the stand-in workspace and read there."""
