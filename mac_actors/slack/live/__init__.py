"""The state of every machine, kept up to date in the oops channel."""
