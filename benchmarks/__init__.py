"""Comparisons, run by hand and side by side in one run: machines are noisy, ratios are less so."""
