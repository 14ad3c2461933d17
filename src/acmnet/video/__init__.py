"""Video files: open them, decode their frames, and tell when each frame is shown.

Input: the path of a video. Output: RGB frames at a steady rate (`frames`), single
frames (`frame_seeking`) or the times of all frames (`frame_times`). Damaged timestamps
are repaired in `frame_clock`.
"""
