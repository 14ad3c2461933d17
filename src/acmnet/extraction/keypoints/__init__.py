"""Features of tracked points: signals of bodies over the frames of a snippet."""
