"""The points of people, found in video, and their features.

Input: frames. Output: the points of each person in each frame. `pose_networks` finds
people and their points in one frame, `pose_tracker` follows them from frame to frame,
`hand_tracker` adds the points of their hands. `pose_extractor` turns the tracks into
features, by `acmnet.extraction.keypoints`.
"""
