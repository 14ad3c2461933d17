"""What people look at: figures, the report, the bench, videos with detections.

In come runs, detections and video files; out come pictures, pages and videos. Each
folder is one product: ``figures`` for papers, ``report`` for the page of a run, and
``bench`` for the page at which people mark and correct. The modules beside them draw
into copies of videos (`rendered_video`) and cut clips (`clip_cutting`).
"""
