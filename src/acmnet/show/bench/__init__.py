"""The bench: a page on this machine to label videos at, and to correct a model at.

Input: requests of the page. Output: marks in a label file, and rounds of learning.
Start at `bench_site`, which answers each request of the page. It stands on three
folders: ``server`` speaks HTTP, ``marks`` keeps what persons mark, and ``rounds``
learns from it. `bench_media` and `frame_pictures` know the video files. The page itself
is ``bench.html`` with the folder ``script``.
"""
