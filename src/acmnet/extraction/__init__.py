"""From a video file to snippet features: decode, flow, networks and descriptors.

Input: video files. Output: a directory with the features ``(T, D)`` of each video.
Start with ``extractors``, which says what an extractor is; `shipped_extractors` lists
those of acmnet and `default_extractor` chooses one. Each has a folder: ``motion``,
``i3d`` (with ``flow``), ``pose``, and ``keypoints`` for tracked points;
`sentence_encoder` is the network for texts. `weights_by_name` installs their
`weight_files`. ``many_videos`` extracts many videos and can be interrupted at any time.
"""
