"""Labels, features and detections on disk: read strictly, written whole.

Input: files that users and other programs wrote. Output: checked objects:
`labels.annotations.Annotations`, `features.stored_features.FeatureStore` and
`acmnet.segments.Detections`. Whatever is wrong with a file ends in one sentence that
names the file, the video and the field.

Three folders hold what is on disk: ``labels``, ``features`` and ``detections``. They
stand on ``tables``. Further folders read what others wrote: ``formats`` (labels and
detections of other programs), ``releases`` (features that others published) and
``tracks`` (tracked points). ``checks`` tells what is wrong with data, and ``made_up``
draws data.

The modules beside the folders put these together. Start at `label_files`, which reads
labels of any form, and `labelled_features` (labels and features, as training needs
them); `datasets` makes batches of these, `detection_output` writes results, and
`format_conversion` turns a file of one program into one of another.
"""
