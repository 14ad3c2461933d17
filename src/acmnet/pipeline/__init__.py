"""Whole journeys as functions: check, train, localize, compare. Nothing is printed."""
