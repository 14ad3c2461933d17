"""What persons mark at the bench: checked, kept at once, written as a label file.

Input: changes that the page sends (`mark_changes`). Output: a label file. Start at
`mark_store`, which keeps each change in a journal (`mark_journal`) before it writes the
label file (`bench_labels`). `label_file_intake` begins with a label file of any origin,
and `label_export` writes the marks in the format of another program, too.
"""
