"""What a video shows: its labels, and what is known of their times.

Input: label files. Output: `annotations.Annotations`. ``json_files/`` and ``tables/``
read the two forms that acmnet has of its own; `acmnet.data.label_files` chooses among
them and among the forms of other programs. `contradictions` are refused. `marks` are
the times that a person marked, of which training is given those that `supervision`
allows.
"""
