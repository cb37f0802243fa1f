"""The database as a SQLite file in the state directory: its engine, its lock, its writer, its migrations."""
