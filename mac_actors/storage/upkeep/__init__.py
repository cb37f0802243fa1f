"""Looking after the database: backup and restore, verify, a scratch copy."""
