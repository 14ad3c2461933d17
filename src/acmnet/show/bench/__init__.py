"""The bench: a page on this machine to label videos at, and to correct a model at.

In come requests of the page; out come marks in a label file, and rounds of learning.
`page_server` speaks HTTP, and `bench_site` answers for this page. `mark_changes` checks
what the page sends, and `mark_store` keeps it: at once in a journal (`mark_journal`),
then in the label file (`bench_labels`). `learning` starts the rounds, each in a process
of its own (`round_process`). The page itself is ``bench.html`` with the folder
``script``.
"""
