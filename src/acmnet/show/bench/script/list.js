// The list of videos: what is named and watched, and which one a look is worth most.
import { $, clockText, counted, make } from "./elements.js";
import { marks, onChange, state } from "./state.js";

const WATCHED_SHARE = 0.98; // of a video: that much watched is watched
const TAIL_SHARE = 0.9, TAIL_S = 1; // so is so much, up to a tail that no snippet holds: by features a video is shorter
const SEEN_S = 60; // whoever made a mark has seen so much before and after it, as `acmnet suggest` has it

let filter = "all";
let opener = () => {};
export const onOpen = (act) => { opener = act; };
export const open = (video) => opener(video);

// What is known of a video, kept until one of its marks changes.
const known = new Map();
export function summaryOf(video) {
  if (!known.has(video.id)) known.set(video.id, summarised(video));
  return known.get(video.id);
}
export const forgetSummaries = () => known.clear();

function summarised(video) {
  const own = marks.of(video.id), labels = new Set(), whole = video.duration_s ?? 0;
  let timed = 0, watched = 0, until = 0;
  for (const mark of own) { // by start
    if (mark.kind === "watched") {
      if (mark.label !== null) continue;
      watched += Math.max(0, mark.end_s - Math.max(until, mark.start_s));
      until = Math.max(until, mark.end_s);
    } else {
      labels.add(mark.label);
      timed += mark.kind !== "name";
    }
  }
  const hasTail = watched >= TAIL_SHARE * whole && whole - watched < TAIL_S;
  const isWatched = whole > 0 && (watched >= WATCHED_SHARE * whole || hasTail);
  return { labels: [...labels], timed, isWatched, isNamed: labels.size > 0 || isWatched, suggested: stillSuggested(video.suggestion, own) };
}

// The first suggested span that nobody has seen since, and why; null if there is none.
function stillSuggested(suggestion, own) {
  const seen = own.filter((mark) => mark.kind !== "name").map((mark) => mark.kind === "watched" ? [mark.start_s, mark.end_s] : [mark.start_s - SEEN_S, (mark.end_s ?? mark.start_s) + SEEN_S]);
  const spans = suggestion?.spans ?? [], next = spans.find((span) => !seen.some(([start, end]) => span.start_s < end && start < span.end_s));
  return next ? { start_s: next.start_s, why: next === spans[0] ? suggestion.why : next.why } : null;
}

const FILTERS = {
  all: () => true,
  unnamed: (video) => !summaryOf(video).isNamed,
  unwatched: (video) => !summaryOf(video).isWatched,
  suggested: (video) => summaryOf(video).suggested !== null,
};

export function listed() {
  const wanted = $("search").value.trim().toLowerCase();
  const isWanted = (video) => !wanted || video.id.toLowerCase().includes(wanted) || summaryOf(video).labels.some((label) => label.toLowerCase().includes(wanted));
  const found = state.videos.filter((video) => FILTERS[filter](video) && isWanted(video));
  return filter === "suggested" ? found.sort((a, b) => a.suggestion.rank - b.suggestion.rank) : found;
}

const rows = new Map(); // id -> {node, key}
function rowOf(video) {
  const { labels, timed, isWatched, suggested } = summaryOf(video), isOpen = video === state.video;
  const words = [labels.join(", ") || (isWatched ? "nothing in it" : "no name yet"), timed ? counted(timed, "mark") : "", isWatched && labels.length ? "watched" : ""].filter(Boolean).join(" · ");
  const why = suggested?.why ?? "";
  const key = JSON.stringify([words, why, isOpen]);
  if (rows.get(video.id)?.key === key) return rows.get(video.id).node;
  const node = make("li", {}, make("button", { type: "button", class: isOpen ? "now" : "", "aria-current": isOpen && "true", onclick: () => open(video) },
    make("span", { class: "id" }, video.id), make("span", { class: "quiet time" }, video.duration_s ? clockText(video.duration_s, 0) : ""),
    make("span", { class: labels.length ? "words" : "words quiet" }, words), ...(why ? [make("span", { class: "why" }, why)] : [])));
  rows.set(video.id, { node, key });
  return node;
}

export function drawList() {
  const shown = listed(), named = state.videos.filter((video) => summaryOf(video).isNamed).length;
  const nodes = shown.map(rowOf);
  $("filters").querySelector("[data-filter=suggested]").hidden = filter !== "suggested" && !state.videos.some(FILTERS.suggested);
  const list = $("videos");
  if (nodes.length !== list.children.length || nodes.some((node, i) => list.children[i] !== node)) list.replaceChildren(...nodes);
  const none = filter === "suggested" ? "Nothing is suggested now; a minute after each round there is more. " : "";
  const part = !shown.length ? none : shown.length === state.videos.length ? "" : `${shown.length} shown; `;
  $("list-count").textContent = `${part}${named} of ${counted(state.videos.length, "video")} named`;
}

// The video that comes n places further in the list.
export function further(n) {
  const shown = listed(), at = shown.indexOf(state.video);
  const here = state.videos.indexOf(state.video), place = (video) => state.videos.indexOf(video);
  const next = at >= 0 ? shown[at + n] : n > 0 ? shown.find((video) => place(video) > here) : shown.findLast((video) => place(video) < here);
  if (next) open(next);
}

$("search").addEventListener("input", drawList);
for (const one of $("filters").children) one.addEventListener("click", () => setFilter(one.dataset.filter));
export function setFilter(name) {
  filter = name;
  for (const one of $("filters").children) one.setAttribute("aria-pressed", one.dataset.filter === name);
  drawList();
}
onChange((changed) => {
  for (const mark of changed) known.delete(mark.video);
  if (changed.length) drawList();
});
