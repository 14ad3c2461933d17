"""From ranked detections and true segments to average precision, recall and F1.

Start with `ranking`. `truth` holds the instances that a protocol scores as arrays, and
`matching` says which detection finds which of them. `measures` are those beside average
precision.
"""
