"""The fault suite: a server of its own under load, things done to it, and one audit after each."""
