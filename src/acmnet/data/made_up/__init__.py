"""Made-up data with known truth: drawn videos, and features without videos.

Input: a seed and settings. Output: videos with labels for ``acmnet demo``
(`drawn_videos`), or features for real or made-up labels for ``acmnet simulate``
(`simulated_features`). The same seed always gives the same data.
"""
