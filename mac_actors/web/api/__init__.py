"""What programs speak: readers, admins, monitors, scripts."""
