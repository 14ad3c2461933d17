"""Extract the features of many videos, in several processes.

In come folders with videos, or files of tracks; out comes a directory of features.
`video_search` finds the files. `extraction_request` says what is asked for,
`extraction_run` does it and can be interrupted at any time, and `video_task` does one
video, in which `shot_boundaries` finds hard cuts and which `stall_watch` ends if it
makes no progress. `records` is what lies on disk afterwards.
"""
