"""Rounds of learning at the bench: each is one training on all marks, in a folder.

Start at `learning`, which starts, watches and ends rounds. `round_folders` says where
they lie, `round_plan` which commands a round consists of, and `round_process` runs
these in one process, which waits for the click. `round_detections` and `round_scores`
tell what a round found and how good it is; `suggesting` finds out what to mark next.
"""
