"""The features of videos on disk: arrays ``(T, D)`` and the manifest of a store.

Start at `feature_store`. It reads single files (`feature_files`) or many videos from
one file (`feature_shards`), on a disk or in `object_storage`. `feature_manifest` holds
what is common to all videos of a store, and `failed_videos` lists those that have no
features.
"""
