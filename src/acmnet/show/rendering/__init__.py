"""Copies of videos with detections, scores or tracks drawn into the picture.

Start at `rendered_video`, which copies a video file, or at `drawn_tracks`, which makes
a video of tracks alone. `frame_overlay` and `track_overlay` draw into one frame;
`encoded_picture` and `sound_copy` write the new file's picture and sound.
"""
