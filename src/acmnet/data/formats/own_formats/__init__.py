"""acmnet's own formats: ActivityNet's JSON, CSV tables, and Parquet or Arrow tables.

A module describes a format for `acmnet.data.formats.format_table` and writes it.
Reading is done by `acmnet.data.labels` and `acmnet.data.detections`.
"""
