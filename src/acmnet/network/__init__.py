"""The networks: the paper's three branches, and the second stage's student."""
