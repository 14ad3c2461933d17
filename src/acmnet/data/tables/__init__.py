"""Tables as files, whatever they tell: from spreadsheets, in Parquet, in Arrow.

`spreadsheets` reads tables of text with any separator, `text_encodings` tells in which
encoding they were saved, `csv_tables` writes CSV for spreadsheets, and `arrow_files`
reads and writes tables of millions of rows.
"""
