"""A small HTTP server for one page on this machine; it knows nothing of the bench.

Start at `page_server`. `timed_requests` reads requests within limits of time and size,
and `byte_ranges` serves parts of large files, such as videos.
"""
