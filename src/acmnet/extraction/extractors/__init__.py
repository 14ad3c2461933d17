"""What an extractor is: it turns the frames of one video into snippet features.

Start with `extractor`, which says what an extractor has to offer, and
`extraction_settings`, which says what can be set. `extractor_names` takes names such as
``i3d-rgb+motion`` apart, and `side_by_side` joins such extractors. `own_extractors`
imports a user's own class if it may run. `file_readers` opens what an extractor reads.
In `i3d_choices` are the options of I3D, which can be read without importing torch.
"""
