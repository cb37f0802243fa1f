"""What is taken over from elsewhere: users from spreadsheets and CRMs, states from the old server."""
