"""Video files: opened, timed and decoded into frames."""
