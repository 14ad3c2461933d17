"""A trained model: read from a run or from one file, and ready for new features.

Input: the files of a run. Output: a `trained_model.TrainedModel`, which turns the
features of a video into detections. `stored_model` reads it. `training_summary` keeps
what the model knows of its training videos, such as the score from which detections are
shown. `calibration` fits probabilities on labelled videos with the curves of
`calibration_curves`, and `stored_calibration` applies them.
"""
