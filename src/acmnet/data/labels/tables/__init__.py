"""Label files that are tables: from a spreadsheet, or with millions of rows.

Start with `label_tables`, which reads text; `arrow_labels` reads and writes Parquet and
Arrow. `label_columns` recognises columns, `row_marks` says what a row means, and
`tabled_videos` keeps all rows as arrays.
"""
