"""Whole journeys as functions that print nothing, such as train, fit and ablate."""
