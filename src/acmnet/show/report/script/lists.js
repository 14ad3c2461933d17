// The lists of videos and of detections, and from which score on detections are shown.
const videoTable = table($("videos"), [
  ["video", (v) => v.id, (v) => link(v.id, () => { choose(v.index); $("viewer").scrollIntoView(); })],
  ["labels", (v) => v.labels.join(", "), (v) => long(v.labels.join(", "))],
  ["seconds", (v) => v.duration_s, (v) => text(v.duration_s.toFixed(1))],
  ["true", (v) => v.instances ?? -1, (v) => text(v.instances ?? DASH)],
  ["found", shownOf, (v) => text(foundWords(v))],
  ["best", (v) => v.best, (v) => text(v.best === null ? DASH : v.best.toFixed(3))],
], videos, { more: $("more-videos"), marks: (v) => (v.index === state.video ? "chosen" : "") });
$("video-filter").addEventListener("input", filterVideos);
function filterVideos() {
  const wanted = $("video-filter").value.toLowerCase();
  videoTable.show(videos.filter((v) => v.key.includes(wanted)));
}

const detectionTable = table($("detections"), [
  ["video", (d) => videos[d[0]].id, (d) => long(videos[d[0]].id)],
  ["action", labelOf, (d) => link(labelOf(d), () => follow(d))],
  ["from (s)", (d) => d[2], (d) => text(seconds(d[2]))],
  ["to (s)", (d) => d[3], (d) => text(seconds(d[3]))],
  ["score", (d) => d[4], (d) => text(d[4].toFixed(3))],
], all, { more: $("more-detections"), first: 4 });
$("detection-filter").addEventListener("input", filterDetections);
$("this-video").addEventListener("change", filterDetections);
const surestFirst = [...all].sort((a, b) => b[4] - a[4]); // as the list is at first
function filterDetections() {
  const wanted = $("detection-filter").value.toLowerCase(), only = $("this-video").checked;
  const classes = contents.class_names.map((name) => name.toLowerCase().includes(wanted));
  const ids = videos.map((video) => video.id.toLowerCase().includes(wanted));
  const pool = only && contents.parts ? rowsOf[state.video] : surestFirst;
  const kept = pool.filter((d) => isShown(d) && (!only || d[0] === state.video) && (classes[d[1]] || ids[d[0]]));
  const most = only && contents.parts ? pool.length : all.length;
  const rest = !only && contents.parts?.detections > most ? `, the surest of ${contents.parts.detections}; look at a video for all of its own` : "";
  $("found-count").textContent = `${kept.length} of ${counted(most, "detection")}${rest}`;
  detectionTable.show(kept);
}
function follow(row) {
  choose(row[0]);
  $("viewer").scrollIntoView();
  withPart(row[0], () => {
    const one = state.bars.find((b) => b.row === row);
    if (one) select(one, true);
  });
}

// Show detections from a score on, and of each video only the surest few.
const slider = $("score");
if (all.length) { slider.min = range[0]; slider.max = range[1]; } else slider.disabled = true;
function showFrom(score, top) {
  // the slider's own rounding must not hide the least sure one
  state.score = score <= range[0] + 1e-12 ? -Infinity : score;
  state.top = top;
  slider.value = Math.max(range[0], state.score);
  const told = all.length ? Math.max(range[0], state.score).toFixed(3) : "";
  $("score-value").textContent = told;
  slider.setAttribute("aria-valuetext", told);
  $("top").value = Number.isFinite(top) ? top : "";
  const hidden = all.reduce((n, d) => n + !isShown(d), 0);
  const nothing = "Nothing was found in these videos: either none of the actions is in them, or the run was trained too briefly.";
  $("hidden-count").textContent = !all.length ? nothing : hidden ? `${counted(hidden, "less sure detection")} of ${all.length} ${hidden === 1 ? "is" : "are"} hidden.` : "";
  $("show-all").hidden = !hidden;
  filterDetections();
  videoTable.draw();
  if (state.video >= 0) { $("video-facts").textContent = factsOf(current()); stack(); }
  draw();
  addressMoved(false);
}
slider.addEventListener("input", () => showFrom(Number(slider.value), state.top));
$("top").addEventListener("input", () => showFrom(state.score, $("top").value > 0 ? Number($("top").value) : Infinity));
$("show-all").addEventListener("click", () => showFrom(-Infinity, Infinity));
