"""Clips: parts that are cut out of videos, and pictures that show many of them.

Start at `clip_cutting`. `clip_sound` cuts the sound, and `contact_sheet` shows a frame
of each clip.
"""
