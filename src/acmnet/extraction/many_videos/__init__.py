"""Extract the features of many videos, in several processes.

Input: folders with videos, or files of tracks. Output: a directory of features.
`video_search` finds the files. `extraction_request` says what is asked for, and
`extraction_run` does it and can be interrupted at any time. `video_task` extracts one
video; `shot_boundaries` finds its hard cuts, and `stall_watch` ends it if it makes no
progress. `records` is what lies on disk afterwards.
"""
