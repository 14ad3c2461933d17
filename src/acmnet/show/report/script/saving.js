// What becomes of verdicts: kept in this browser at once, and by the server when saved.
const DRAFT = `acmnet: reviews of ${contents.run} that are not saved`;
const PATIENCE_MS = 15000;
const tell = (sentence) => { $("review-state").textContent = sentence; };
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Verdicts that are not as they were saved.
function changesOf(video) {
  const now = review.videos[video] ?? [], before = review.saved[video] ?? [];
  const lacks = (one, list) => !list.some((other) => same(one, other));
  return Math.max(now.filter((one) => lacks(one, before)).length, before.filter((one) => lacks(one, now)).length);
}
const changedVideos = () => [...new Set([...Object.keys(review.videos), ...Object.keys(review.saved)])].filter(changesOf);
const changes = () => changedVideos().reduce((n, video) => n + changesOf(video), 0);
const copied = (values) => byName(JSON.parse(JSON.stringify(values)));

let isKept = true; // whether this browser keeps drafts
function keepDraft() {
  const n = changes();
  if (!n) { memory.drop(DRAFT); return tell("nothing to save"); }
  const own = byName({});
  for (const video of changedVideos()) own[video] = review.videos[video] ?? [];
  isKept = memory.write(DRAFT, JSON.stringify({ revision: review.revision, videos: Object.entries(own) }));
  return tell(`${counted(n, "change")} not saved yet, ${isKept ? "kept in this browser" : "and this browser keeps none: save before you leave"}`);
}
const kept = () => {
  const n = counted(changes(), "change");
  return isKept ? `your ${n} ${changes() === 1 ? "is" : "are"} kept in this browser` : `your ${n} ${changes() === 1 ? "is" : "are"} only on this page: leave it open`;
};

function readDraft() {
  try {
    const draft = JSON.parse(memory.read(DRAFT));
    const known = new Set(videos.map((video) => video.id));
    const own = draft.videos.filter(([video, list]) => known.has(video) && Array.isArray(list));
    return own.length ? { revision: draft.revision, videos: own } : null;
  } catch {
    return null; // there is none, or not ours
  }
}
function putBack(draft) {
  for (const [video, own] of draft.videos) review.videos[video] = own;
  review.draft = null;
  $("draft").hidden = true;
  touched();
}

async function loadReviews() {
  let told;
  try {
    const answer = await fetch("api/reviews");
    told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
  } catch (error) {
    tell(error instanceof TypeError ? "the reviews could not be loaded: the server does not answer" : error.message);
    return;
  }
  Object.assign(review, { revision: told.revision, videos: byName(told.videos), saved: copied(told.videos) });
  const draft = readDraft();
  if (draft && draft.revision === review.revision) {
    putBack(draft);
    tell(`${counted(changes(), "change")} from before, not saved yet, ${changes() === 1 ? "is" : "are"} back: save to keep ${changes() === 1 ? "it" : "them"}`);
  } else if (draft) {
    review.draft = draft;
    $("draft").hidden = false;
    $("draft-told").textContent = `This browser kept changes to ${counted(draft.videos.length, "video")}, made before someone else saved.`;
  }
  layReview();
  videoTable.draw();
  detectionTable.draw();
}

let isSaving = false;
async function save() {
  if (isSaving || review.revision === null) return;
  if (!changes()) { tell("nothing to save"); return; }
  isSaving = true;
  tell("saving ...");
  const sent = copied(review.videos);
  try {
    const answer = await fetch("api/reviews", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Acmnet-Token": contents.server.token },
      body: JSON.stringify({ revision: review.revision, videos: sent }),
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const told = await answer.json();
    if (answer.ok) {
      Object.assign(review, { revision: told.revision, saved: sent });
      keepDraft(); // of what was changed meanwhile
      const more = changes() ? `; ${counted(changes(), "change")} since then` : "";
      tell(`saved at ${new Date().toTimeString().slice(0, 5)}${more}`);
    } else tell(`not saved: ${told.error}; ${kept()}`);
  } catch {
    tell(`not saved: the server does not answer; ${kept()}. Start acmnet view again, reload this page and save.`);
  }
  isSaving = false;
}

function watchServer() {
  let checkpoint;
  const ask = async () => {
    let sentence;
    try {
      const told = await (await fetch("api/state")).json();
      checkpoint ??= told.checkpoint;
      sentence = [told.sentence, told.checkpoint === checkpoint ? "" : "There is a newer checkpoint: save and reload to see it."].filter(Boolean).join(". ");
    } catch {
      sentence = "The server does not answer: start acmnet view again and reload this page.";
    }
    $("live").hidden = !sentence;
    if ($("live").textContent !== sentence) $("live").textContent = sentence;
    setTimeout(ask, 2000);
  };
  ask();
}

if (review) {
  $("reviewed-count").hidden = false;
  $("class-names").append(...contents.class_names.map((name) => make("option", null, { value: name })));
  for (const [button, verdict] of [["accept", "accepted"], ["reject", "rejected"], ["add", "added"]]) $(button).addEventListener("click", () => judge(verdict));
  $("review").addEventListener("submit", (event) => { event.preventDefault(); save(); });
  $("draft-back").addEventListener("click", () => putBack(review.draft));
  $("draft-drop").addEventListener("click", () => { review.draft = null; $("draft").hidden = true; memory.drop(DRAFT); });
  window.addEventListener("beforeunload", (event) => { if (changes() && !isKept) event.preventDefault(); });
}
