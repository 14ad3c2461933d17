"""A run as one page: what it found, what the network said, the videos beside it."""
