"""Finding actions in videos, with a trained model or without any training.

Input: a model and the features of many videos. Output: detections. Start at
`localized_videos`, which also divides the videos among several processes;
`kept_detections` finds again only what changed. `why_nothing_found` explains an empty
result. `kinetics_zero_shot` needs no training: it takes classes of Kinetics-400, which
`phrase_classes` finds for a phrase.
"""
