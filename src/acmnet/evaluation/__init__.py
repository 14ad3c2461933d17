"""Evaluation: protocols, matching, AP and mAP, comparisons, tables.

In come detections of any system and true segments; out come scores. `reports` is the
door. It takes the rules of a protocol (`protocols`), matches detections with true
segments (`matching`) and computes average precision. `diagnosis` says why detections
are wrong, `bootstrap` whether a difference is chance, and `time_budget` counts
behaviours.
"""
