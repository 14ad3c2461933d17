"""Slow, literal versions of every protocol: loops over plain tuples, no NumPy.

Written from the rules and the official codes' descriptions, not from `acmnet`. A truth
has ``(label, start, end)`` by video, results have `twins_evaluation.Row` by video.
"""

from support.twins_evaluation import naive_match, naive_tiou

NO_HAMMER, NO_CRICKET = "video_test_0000270", "video_test_0001496"
ONLY_AMBIGUOUS = "video_test_0001292"

NOT_SCORED = {
    "thumos14": {NO_HAMMER, NO_CRICKET, ONLY_AMBIGUOUS},
    "thumos14-211": {NO_HAMMER, ONLY_AMBIGUOUS},
    "thumos14-212": {ONLY_AMBIGUOUS},
    "thumos14-authors": {ONLY_AMBIGUOUS},
    "thumos14-rounded": {ONLY_AMBIGUOUS},
}
NOT_PREDICTED = {"thumos14-authors": {NO_HAMMER, NO_CRICKET}}


def literal_world(name, truth, results):
    """Return the instances and detections that a protocol scores.

    As a truth and as ``(video, Row)`` in the order of the file, without those that are
    to be dropped.
    """
    missing = NOT_SCORED.get(name, set())
    scored = {
        video: list(rows) for video, rows in truth.items() if video not in missing
    }
    if name.startswith("thumos14"):
        for video, rows in scored.items():
            scored[video] = [row for row in rows if row[0] != "Ambiguous"]
    if name == "thumos14-rounded":
        for video, rows in scored.items():
            scored[video] = [
                (x, round(a * 25 / 16), round(b * 25 / 16)) for x, a, b in rows
            ]
    known = {label for rows in scored.values() for label, _, _ in rows}
    found = []
    for video, rows in results.items():
        for row in rows:
            kept = video in scored and video not in NOT_PREDICTED.get(name, set())
            if kept and row.label in known and row.end > row.start:
                if name == "thumos14-rounded":
                    row = row._replace(start=row.start * 25 / 16, end=row.end * 25 / 16)
                found.append((video, row))
    return scored, found


def literal_ranking(name, truth, results, label, threshold):
    """Return one class's detections, best first, as ``(video, Row, verdict)``.

    A verdict is True, False, or None for a detection that does not count.
    """
    scored, found = literal_world(name, truth, results)
    own = [(video, row) for video, row in found if row.label == label]
    if name == "thumos14-2014":
        return _kit_ranking(truth, scored, own, label, threshold)
    own.sort(key=lambda pair: -pair[1].score)
    taken = {}
    for video, rows in scored.items():
        instances = [(a, b) for x, a, b in rows if x == label]
        spans = [(row.start, row.end) for other, row in own if other == video]
        taken[video] = iter(naive_match(spans, instances, threshold))
    return [(video, row, next(taken[video]) >= 0) for video, row in own]


def _kit_ranking(truth, scored, own, label, threshold):
    """Follow TH14eventdetpr: the instances choose, then the videos are pooled."""
    pooled = []
    for video in sorted(scored):
        rows = [row for other, row in own if other == video]
        rows.sort(key=lambda row: -row.score)
        free = [True] * len(rows)
        for x, a, b in scored[video]:
            best, best_overlap = None, -1.0
            for i, row in enumerate(rows):
                overlap = kit_overlap((a, b), (row.start, row.end))
                if x == label and free[i] and overlap > best_overlap:
                    best, best_overlap = i, overlap
            if best is not None and best_overlap > threshold:
                free[best] = False
        unsure = [(a, b) for x, a, b in truth[video] if x == "Ambiguous"]
        for i, row in enumerate(rows):
            touched = sum(kit_overlap(span, (row.start, row.end)) for span in unsure)
            verdict = True if not free[i] else (None if touched > 0 else False)
            pooled.append((video, row, verdict))
    pooled.sort(key=lambda triple: -triple[1].score)
    return pooled


def kit_overlap(a, b):
    """Return the intersection over the span from the first start to the last end."""
    both = min(a[1], b[1]) - max(a[0], b[0])
    return both / (max(a[1], b[1]) - min(a[0], b[0])) if both > 0 else 0.0


def literal_ap(verdicts, n_instances, *, interpolated):
    """Return the AP of a ranking's verdicts."""
    precisions, n_true, n_seen = [], 0, 0
    for verdict in verdicts:
        if verdict is None:
            continue
        n_seen += 1
        n_true += verdict
        precisions.append((n_true / n_seen, verdict))
    total = 0.0
    for i, (precision, verdict) in enumerate(precisions):
        if verdict:
            later = [p for p, _ in precisions[i:]]
            total += max(later) if interpolated else precision
    return total / n_instances


def literal_protocol_ap(name, truth, results, label, threshold):
    """Return one class's AP under a protocol."""
    scored, _ = literal_world(name, truth, results)
    n_instances = sum(x == label for rows in scored.values() for x, _, _ in rows)
    ranking = literal_ranking(name, truth, results, label, threshold)
    verdicts = [verdict for _, _, verdict in ranking]
    return literal_ap(verdicts, n_instances, interpolated=name != "thumos14-2014")


def literal_classification_ap(name, truth, results, label):
    """Return the AP of ranking videos by their best detection of a label."""
    scored, found = literal_world(name, truth, results)
    best = {}
    for video, row in found:
        if row.label == label and row.score > best.get(video, float("-inf")):
            best[video] = row.score
    # of equal scores, the video whose best detection is ranked first
    order = [v for v, _, _ in literal_ranking(name, truth, results, label, 0.5)]
    ranked = sorted(best, key=lambda video: (-best[video], order.index(video)))
    shown = {
        video for video, rows in scored.items() if any(x == label for x, _, _ in rows)
    }
    verdicts = [video in shown for video in ranked]
    return literal_ap(verdicts, len(shown), interpolated=name != "thumos14-2014")


def literal_recall(name, truth, results, tiou, n):
    """Return the share of instances that a video's first ``n`` detections find."""
    scored, found = literal_world(name, truth, results)
    recalls = []
    for threshold in tiou:
        n_found = n_all = 0
        for video, instances in scored.items():
            rows = [row for other, row in found if other == video]
            rows.sort(key=lambda row: -row.score)
            for _, a, b in instances:
                overlaps = [
                    naive_tiou((row.start, row.end), (a, b)) for row in rows[:n]
                ]
                if name == "thumos14-2014":
                    n_found += any(x > threshold for x in overlaps)
                else:
                    n_found += any(x >= threshold for x in overlaps)
                n_all += 1
        recalls.append(n_found / n_all)
    return sum(recalls) / len(recalls)


def literal_f1(name, truth, results, threshold, cut):
    """Return F1, precision and recall of the detections with a score of ``cut`` on."""
    scored, _ = literal_world(name, truth, results)
    instances = [row for rows in scored.values() for row in rows]
    n_true = n_kept = 0
    for label in {x for x, _, _ in instances}:
        for _, row, verdict in literal_ranking(name, truth, results, label, threshold):
            if row.score >= cut and verdict is not None:
                n_kept += 1
                n_true += verdict
    precision = n_true / n_kept if n_kept else 0.0
    recall = n_true / len(instances)
    both = precision + recall
    return (2 * precision * recall / both if both else 0.0), precision, recall
