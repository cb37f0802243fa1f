"""The database on a PostgreSQL server: its address, its writer, its migrations. Needs the extra ``postgres``."""
