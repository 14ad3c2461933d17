"""The page of a run: its scores, detections, network curves and videos."""
