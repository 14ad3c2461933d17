"""Labels, features and detections on disk: read strictly, written whole.

In come files that users and other programs wrote; out come checked objects:
`annotations.Annotations` (labels), `feature_store.FeatureStore` (features) and
`acmnet.segments.Detections`. Whatever is wrong with a file ends in one sentence that
names the file, the video and the field.

Start at `label_files` (labels), `feature_store` (features), `labelled_features` (both
together, as training needs them), `datasets` (batches for training) and `detections`.
The folders hold what is apart from that path: ``formats`` (other programs), ``tracks``
(tracked points), ``releases`` (features that others published), ``checks`` (what is
wrong with data) and ``made_up`` (data that is drawn).
"""
