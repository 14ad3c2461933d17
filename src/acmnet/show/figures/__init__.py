"""Figures of results, for papers and pages; nothing here computes a number."""
