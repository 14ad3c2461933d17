"""Whole journeys as functions that print nothing, such as train, fit and ablate.

In comes a request (`run_request`, `fit.fit_request`); out comes a run, a directory that
holds everything about one training. Start at `training_run` (train), `fit.fit_videos`
(from videos to detections), `trained_model` (use a run), `cross_validation`,
`ablation`, `calibration` and `suggestions`. The verbs of `acmnet.cli` and the Python
calls of `acmnet` are thin layers over these functions.
"""
