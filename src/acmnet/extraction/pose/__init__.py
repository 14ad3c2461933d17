"""The points of people, found in video, and their features."""
