"""Speed and memory: every figure a ratio to a limit or to a slow twin.

`python -m benchmarks --help`; docs of a figure stand beside the code that takes it.
"""
