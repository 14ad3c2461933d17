"""File formats of other programs and of acmnet itself: each has a module.

Input: a file of another program, such as BORIS or ELAN. Output: labels or detections.
The same files can be written. `reading` and `writing` are the two doors; they ask
`format_table` which format a file has. `exchange_format` says what every format module
provides, and `held_content` what a format cannot hold, so that users are told.

The formats stand in `own_formats` and in two folders, ``annotation_files`` and
``media_editors``. `field_checks` and `mark_list` serve their readers.
"""
