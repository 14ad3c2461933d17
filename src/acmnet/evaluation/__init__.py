"""Evaluation: protocols, matching, AP and mAP, comparisons, tables."""
