// The address holds video, time and score, so that a reload or a link returns there.
const QUIET_MS = 300;
let noting = null;

function addressOf() {
  const values = new URLSearchParams({ video: current().id, t: state.now.toFixed(2) });
  values.set("score", Number.isFinite(state.score) ? state.score : "all");
  if (Number.isFinite(state.top)) values.set("top", state.top);
  return `#${values}`;
}

// A further video is a step in the history, a further second of it is none.
function addressMoved(record) {
  if (!isStarted || state.video < 0) return;
  clearTimeout(noting);
  if (record) { history.pushState(null, "", addressOf()); return; }
  noting = setTimeout(() => history.replaceState(null, "", addressOf()), QUIET_MS);
}

function readAddress() {
  const values = new URLSearchParams(location.hash.slice(1));
  if (!values.has("video")) return null;
  const id = values.get("video"), time = Number(values.get("t")), score = values.get("score");
  const top = Number(values.get("top"));
  return {
    video: videos.findIndex((video) => video.id === id),
    time: Number.isFinite(time) ? time : 0,
    score: score === "all" ? -Infinity : score !== null && Number.isFinite(Number(score)) ? Number(score) : null,
    top: top > 0 ? top : Infinity,
  };
}

function goTo(place) {
  if (!place || place.video < 0) return;
  clearTimeout(noting);
  if (place.score !== null) showFrom(place.score, place.top);
  choose(place.video, { record: false });
  seek(place.time);
}
window.addEventListener("popstate", () => goTo(readAddress()));
