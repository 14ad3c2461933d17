"""Labels as players and editors of sound and video have them: a module for each.

They are Audacity's labels, Audition's markers, subtitles, and edit decision lists. Each
file is for one video.
"""
