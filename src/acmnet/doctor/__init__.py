"""The dataset doctor: what is wrong with labels, splits and features."""
