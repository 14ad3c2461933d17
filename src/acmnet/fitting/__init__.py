"""Learning from a folder of videos and a label file, in one go.

Input: a `fit_request.FitRequest`. Output: a run with its features, its detections and a
report. Start at `fit_videos`, which goes through all steps: `listed_videos`,
`extracted_videos`, `duration_forecast` (how long it will take), the training, and
`fit_report`. `demo` does all this on videos that it draws.
"""
