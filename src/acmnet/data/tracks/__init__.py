"""Tracks of points: files of pose trackers become one kind of object."""
