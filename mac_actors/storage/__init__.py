"""What is on disk: machine states, the journal and the outbox, in SQLite or in PostgreSQL."""
