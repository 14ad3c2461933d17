"""What people look at: figures, the report, the review page, videos with detections."""
