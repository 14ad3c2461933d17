"""Several systems side by side: intervals of their differences, and tables.

`bootstrap` draws the videos at random again and again, `tables` writes results as CSV,
Markdown and LaTeX, and `published` puts those of papers beside them.
"""
