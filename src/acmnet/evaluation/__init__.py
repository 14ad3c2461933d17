"""Evaluation: scores of detections against true segments, and what lies behind them.

Input: detections of any system and true segments. Output: scores. `reports` is the
door. It takes the rules of a protocol (`protocols`), reads what they say is to be
scored (`scored_data`) and ranks, matches and counts (``scoring/``). ``diagnosis/`` says
why detections are wrong, and ``comparison/`` whether one system is better than another.
`held_out` scores a run on videos that it was not trained on. `time_budget` counts
behaviours.
"""
