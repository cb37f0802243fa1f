"""Several servers on one database: which of them owns the machines, and what the others do."""
