"""From what networks say of a video to detections in seconds."""
