"""Make the sets of docs/results.md from what others published."""
