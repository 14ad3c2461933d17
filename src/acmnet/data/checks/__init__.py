"""What is wrong with labels, splits and features, and what to do about it."""
