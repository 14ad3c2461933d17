"""Learning from videos: features, a training, detections and what to expect."""
