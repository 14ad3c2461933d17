"""Learning from videos: features, a training, detections and what to expect.

In come a folder of videos and a label file; out comes a run with its detections and a
report. `fit_videos` goes through all steps; `forecast` says beforehand how long it will
take, and `expectation` afterwards how good the run should be on new videos.
"""
