"""From a video file to snippet features: decode, flow, networks and descriptors.

In come video files; out comes a directory with the features ``(T, D)`` of each video.
`extractors` says what an extractor is, `shipped_extractors` lists those of acmnet.
`extraction_run` extracts many videos in several processes and can be interrupted at any
time; `video_task` does one video; `records` is what lies on disk afterwards. Each
network has a folder: ``i3d``, ``pose``, and ``keypoints`` for tracked points.
"""
