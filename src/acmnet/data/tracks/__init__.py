"""Tracks of points: files of pose trackers become one kind of object.

Input: files of DeepLabCut, SLEAP, MediaPipe and others. Output: `tracks.Tracks`, the
place of each named point of each individual in each frame. `track_files` is the door:
it tells by its content which program wrote a file. `acmnet.extraction.keypoints` turns
tracks into features.
"""
