"""A small HTTP server for one page on this machine; it knows nothing of the bench.

Start at `page_server`. `http_requests` reads requests within limits of time and size,
and finds which part of a large file, such as a video, is asked for.
"""
