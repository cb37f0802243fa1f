"""What the journal tells about the past."""
