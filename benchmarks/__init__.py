"""Measure speed and memory, each against a limit or a slow but simple implementation.

`python -m benchmarks --help` lists the topics. Each figure is described beside the code
that measures it. A slow implementation of the same thing is called a twin.
"""
