"""What people look at: figures, the report, the bench, videos with detections.

Input: runs, detections and video files. Output: pictures, pages and videos. Each folder
is one product: ``figures`` for papers, ``report`` for the page of a run, ``bench`` for
the page at which people mark and correct, ``rendering`` for copies of videos with what
was found drawn into them, and ``clips`` for parts cut out of videos.
"""
