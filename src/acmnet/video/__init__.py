"""Video files: open them, decode their frames, and tell when each frame is shown."""
