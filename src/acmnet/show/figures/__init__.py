"""Figures of trainings, scores, diagnoses, ablations and single videos."""
