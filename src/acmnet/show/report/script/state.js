// What is looked at: one video, one stretch of it, and the detections from a score on.
const videos = contents.videos.map((video, index) => ({ ...video, index, key: [video.id, ...video.labels].join("\n").toLowerCase() }));
const all = contents.detections; // rows of [video, class, start, end, score, rank in its video]
const rowsOf = videos.map(() => []);
for (const row of all) {
  if (contents.parts) rowsOf[row[0]][row[5]] = row; // the others of its video come with its part
  else row.push(rowsOf[row[0]].push(row) - 1);
}
const range = contents.parts && all.length ? contents.parts.range : all.reduce(([low, high], d) => [Math.min(low, d[4]), Math.max(high, d[4])], [Infinity, -Infinity]);
const labelOf = (row) => contents.class_names[row[1]];

const state = {
  video: -1, insides: null, now: 0, from: 0, to: 1, until: null, // seconds
  score: -Infinity, top: Infinity, // which detections are shown
  bars: [], runs: [], chosen: null, hidden: new Set(),
};
const isShown = (row) => row[4] >= state.score && row[5] < state.top;
const current = () => videos[state.video];

// How many detections of a video are shown. A large page lists the surest alone: it knows how many others there are
// once the part of the video has arrived.
const surestOnly = contents.parts && all.length < contents.parts.detections;
const shownOf = (video) => rowsOf[video.index].reduce((n, row) => n + isShown(row), 0);
function foundWords(video) {
  const n = shownOf(video);
  const isAll = !surestOnly || video.truth || state.score > all[all.length - 1][4] || n >= state.top;
  return `${n}${isAll ? "" : " or more"}${n < video.detections ? ` of ${video.detections}` : ""}`;
}

// Choose a video; what is drawn of it follows from the state.
function choose(index, { record = true } = {}) {
  if (index === state.video || !videos[index]) return;
  pause();
  const video = videos[index];
  Object.assign(state, { video: index, insides: null, now: 0, from: 0, to: video.duration_s, chosen: null, until: null });
  state.hidden.clear();
  $("chosen").textContent = "";
  $("video-name").textContent = video.id;
  $("video-facts").textContent = factsOf(video);
  $("lanes").replaceChildren();
  state.bars = [];
  videoTable.draw();
  withPart(index, () => {
    if (contents.parts) { $("video-facts").textContent = factsOf(video); videoTable.draw(); }
    openMedia(video);
    openPoster(video);
    layLanes();
    if ($("this-video").checked) filterDetections();
    if (insidesAreOpen()) loadInsides();
    draw();
  });
  addressMoved(record);
}

function factsOf(video) {
  const left = video.left_out ? `, of which the ${video.left_out} least sure are not on this page` : "";
  const truth = video.instances === null ? "true segments not known" : `${video.instances} true`;
  return `${seconds(video.duration_s)} s; labels: ${video.labels.join(", ") || "none"}; ${truth}, ${foundWords(video)} found${left}`;
}
