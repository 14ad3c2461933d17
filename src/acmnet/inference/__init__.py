"""Finding actions in videos, with a trained model or without any training.

Input: a model and the features of many videos. Output: detections. Start at
`localized_videos`; `worker_localization` is the same by several processes, and
`kept_detections` finds again only what changed. `why_nothing_found` explains an empty
result. `kinetics_zero_shot` needs no training: it takes classes of Kinetics-400, which
`phrase_classes` finds for a phrase.
"""
