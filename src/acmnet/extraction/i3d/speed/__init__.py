"""Which way to compute I3D is the fastest on this machine that is exact enough.

`fastest_precision` chooses one for an extraction. `i3d_back_ends` measures all of them,
and `back_end_table` is what `acmnet extract --benchmark` prints.
"""
