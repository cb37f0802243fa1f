"""What is taken over from elsewhere: states from the old server, users from spreadsheets and CRMs.

A new source of users is one module with one class: see :mod:`mac_actors.imports.source`.
"""
