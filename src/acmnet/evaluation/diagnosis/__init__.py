"""What is wrong with detections, and which instances they miss.

Start with `diagnosis`. `false_positives` sorts detections by kind of error, and
`sensitivity` instances by their length, coverage and number.
"""
