"""HTTP: a Bottle application on cheroot. Readers, admins, monitors and people come in here."""
