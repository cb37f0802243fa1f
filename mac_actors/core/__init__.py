"""What is true: one machine's states, inputs and decisions, as pure functions and frozen values.

Standard library only; no clock, no I/O, no threads. The specification is the table of
:mod:`mac_actors.core.transitions`; the other modules hold the words that it is written in.
"""
