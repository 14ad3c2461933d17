"""Figures of trainings, scores, diagnoses, ablations and single videos.

Input: results of other rooms. Output: PNG, SVG and PDF files. Each module draws one
kind of figure; `figure_style` gives all of them the same look, and the same bytes for
the same numbers.
"""
