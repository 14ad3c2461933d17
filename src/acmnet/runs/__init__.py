"""Training a run: a directory that holds everything about one training.

Input: a `run_request.RunRequest`. Output: the finished run. Start at `training_run`,
which trains what is missing of a run. What lies in the directory: `run_state` says how
far its training has come, `run_directory` writes to it, `run_data` finds its labels and
features, and `earlier_run` is a run to begin with. What trains: `network_training` (the
paper's network), and for the second stage `teacher_training`, `marks_trial` and
`student_training`, in this order.
"""
