"""What an extractor is: it turns the frames of one video into snippet features.

Start with `extractor`, which says what an extractor has to offer and which settings
there are. `trusted_extractors` lists a user's own classes that may run. `file_readers`
opens what an extractor reads, and `side_by_side` joins several extractors. In
`i3d_choices` are the options of I3D, which can be read without importing torch.
"""
