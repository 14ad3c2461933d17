"""What a video shows: its labels, and what is known of their times.

In come label files; out comes `annotations.Annotations`. `label_json` and
`label_tables` read the two forms that acmnet has of its own, and `arrow_labels` tables
of millions of rows; `acmnet.data.label_files` chooses among them and among the forms of
other programs. `marks` are the times that a person marked, of which training is given
those that `supervision` allows.
"""
