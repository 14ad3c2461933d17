"""The bench: a page on this machine to label videos at, and to correct a model at."""
