// Verdicts on what was found, where a server keeps them. What cannot be is refused here.
const LONGEST_LABEL = 300;
// by names that may be __proto__
const byName = (values) => Object.assign(Object.create(null), values);
const review = contents.server ? { revision: null, videos: byName({}), saved: byName({}), asked: null, draft: null } : null;
const reviewsOf = (video) => (review && review.videos[video.id]) ?? [];
const sourceOf = (row) => [labelOf(row), row[2], row[3], row[4]];
function isReviewed(video) { return reviewsOf(video).length > 0; }
function verdictOf(row) {
  const own = review && reviewsOf(videos[row[0]]);
  if (!own || !own.length) return "";
  const source = JSON.stringify(sourceOf(row));
  return own.find((one) => one.source && JSON.stringify(one.source) === source)?.verdict ?? "";
}

function layReview() {
  if (!review) return;
  $("review").hidden = false;
  const own = reviewsOf(current());
  $("reviews").replaceChildren(...own.map((one, i) => {
    const item = make("li", `${one.verdict}: ${one.label}, ${seconds(one.start_s)} to ${seconds(one.end_s)} s `, { class: one.verdict });
    const drop = make("button", "Undo", { type: "button" });
    drop.addEventListener("click", () => { own.splice(i, 1); touched(); });
    item.append(drop);
    return item;
  }));
  $("review-lanes").replaceChildren();
  state.reviewed = [];
  const ownTracks = new Map();
  for (const one of own) {
    if (one.verdict === "rejected") continue;
    if (!ownTracks.has(one.label)) ownTracks.set(one.label, lane(`reviewed: ${one.label}`, "reviewed", $("review-lanes")));
    bar(ownTracks.get(one.label), "reviewed", one.label, one.start_s, one.end_s, state.reviewed);
  }
  for (const one of state.bars) {
    if (one.kind !== "detection") continue;
    const verdict = verdictOf(one.row);
    one.node.classList.toggle("rejected", verdict === "rejected");
    one.node.classList.toggle("accepted", verdict === "accepted");
    one.node.setAttribute("aria-label", verdict ? `${one.told}, ${verdict}` : one.told);
    one.node.title = one.node.getAttribute("aria-label");
  }
  const done = videos.filter(isReviewed).length;
  $("reviewed-count").textContent = `${done} of ${counted(videos.length, "video")} reviewed`;
  draw();
}

function fillReview(one) {
  if (!review) return;
  review.asked = null;
  $("review-label").value = one.label;
  $("review-start").value = seconds(one.start);
  $("review-end").value = seconds(one.end);
}

// What was changed is kept in this browser at once, and drawn.
function touched() {
  review.asked = null;
  layReview();
  videoTable.draw();
  detectionTable.draw();
  keepDraft();
}

function judge(verdict) {
  const one = state.chosen;
  if (review.revision === null) return tell("the reviews of this run are not loaded yet");
  if (review.draft) return tell("first decide what becomes of the changes that this browser kept");
  if (verdict !== "added" && !one) return tell("choose a detection first");
  const made = verdict === "rejected" ? { label: one.label, start_s: one.start, end_s: one.end } : entered(verdict === "accepted" ? one : null);
  if (!made) return undefined;
  const source = verdict === "added" ? null : sourceOf(one.row);
  const own = (review.videos[current().id] ??= []);
  const same = own.findIndex((r) => source && r.source && JSON.stringify(r.source) === JSON.stringify(source));
  const whole = { ...made, verdict, source };
  if (same >= 0) own[same] = whole; else own.push(whole);
  return touched();
}

// The segment in the form; nothing, with a sentence, where it cannot be one.
function entered(one) {
  const label = $("review-label").value.trim().normalize("NFC");
  // what was not touched keeps the detection's own digits
  const given = (input, value) => (one && input.value === seconds(value) ? value : input.valueAsNumber);
  const start_s = given($("review-start"), one?.start), end_s = given($("review-end"), one?.end);
  const problem = faultOf(label, start_s, end_s, current());
  if (problem) { review.asked = null; tell(problem); return null; }
  const near = isNew(label) && nearest(label);
  if (isNew(label) && review.asked !== label) {
    review.asked = label;
    tell(`'${label}' is a new label${near ? `; did you mean '${near}'?` : "."} Press again to keep it.`);
    return null;
  }
  return { label, start_s, end_s };
}

function faultOf(label, start_s, end_s, video) {
  if (!label) return "the label is empty: name the action";
  if (label.length > LONGEST_LABEL) return `the label has ${label.length} characters, at most ${LONGEST_LABEL} can be saved`;
  if (/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(label)) return "the label holds a character that no name can have: write it in letters, digits, blanks and signs";
  if (Number.isNaN(start_s) || Number.isNaN(end_s)) return "give the start and the end in seconds";
  if (start_s < 0) return `the start is ${seconds(start_s)} s: a video begins at 0 s`;
  if (end_s <= start_s) return `the end (${seconds(end_s)} s) must come after the start (${seconds(start_s)} s)`;
  if (end_s > video.latest_s) return `the end (${seconds(end_s)} s) is after the end of the video (${seconds(video.ends_s)} s)`;
  return "";
}

function knownLabels() {
  const used = Object.values(review.videos).flat().map((one) => one.label);
  return new Set([...contents.class_names, ...videos.flatMap((v) => v.labels), ...used]);
}
const isNew = (label) => !knownLabels().has(label);
function nearest(label) {
  const most = Math.max(1, Math.round(0.4 * label.length));
  const [near] = [...knownLabels()].map((name) => [distance(label.toLowerCase(), name.toLowerCase()), name])
    .filter(([d]) => d <= most).sort((a, b) => a[0] - b[0]);
  return near?.[1];
}
// How many letters to put in, take out or change to make one word the other.
function distance(one, other) {
  let before = Array.from({ length: other.length + 1 }, (_, j) => j);
  for (let i = 1; i <= one.length; i++) {
    const now = [i];
    for (let j = 1; j <= other.length; j++) now[j] = Math.min(before[j] + 1, now[j - 1] + 1, before[j - 1] + (one[i - 1] !== other[j - 1]));
    before = now;
  }
  return before[other.length];
}
