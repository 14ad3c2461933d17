"""Labels, features and detections on disk: read strictly, written whole."""
