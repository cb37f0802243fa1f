"""What the journal says of the past."""
