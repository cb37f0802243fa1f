"""Users from elsewhere: a spreadsheet, a CRM.

A new source is one module with one class (:mod:`~mac_actors.imports.users.source`).
"""
