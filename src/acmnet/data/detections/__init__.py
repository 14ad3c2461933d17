"""Detections on disk: what was found in which video, and when.

Input and output: `acmnet.segments.Detections`. Start at `detection_files`, which reads
and writes them; `detection_csv`, `arrow_detections` and `subtitles` are further forms.
`detection_arrays` holds the detections of many videos, and `shown_detections` chooses
those that people are shown.
"""
