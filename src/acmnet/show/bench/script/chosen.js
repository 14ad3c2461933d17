// The chosen mark: its class and times in words, what can be done with it, and the marks
// before and after it.
import { $, button, clockText, make, secondsOf, tell } from "./elements.js";
import * as edits from "./edits.js";
import { pause, seek } from "./player.js";
import { chosenItem, draw, isSettled, marksHere, onChange, onDraw, state, visibleDetections } from "./state.js";

// Marks, and what the model found and nobody has decided on, by time.
function stops() {
  const own = marksHere();
  const open = visibleDetections().filter((one) => !isSettled(one, own));
  return [...own.filter((mark) => mark.kind !== "name"), ...open].sort((a, b) => a.start_s - b.start_s || (a.end_s ?? 0) - (b.end_s ?? 0));
}
export function stepMark(n) {
  const all = stops(), here = all.findIndex((one) => one.id === state.chosen);
  let next = here < 0 ? null : all[here + n];
  if (here < 0) next = n > 0 ? all.find((one) => one.start_s >= state.now) : all.findLast((one) => one.start_s <= state.now);
  if (!next) { tell(all.length ? (n > 0 ? "There is no later mark." : "There is no earlier mark.") : "Nothing is marked in this video yet."); return; }
  pause();
  edits.choose(next.id);
  seek(next.start_s);
  tell(told(next));
}

function told(item) {
  const times = item.end_s === null || item.end_s === undefined ? `at ${clockText(item.start_s)}` : `${clockText(item.start_s)} to ${clockText(item.end_s)}`;
  if (item.kind === "detection") return `The model found ${item.label}, ${times}, score ${item.score.toFixed(2)}. Enter: yes. Delete: no.`;
  return `${edits.described(item)}, ${times}.`;
}

const KINDS = { detection: "Found by the model", point: "Point", segment: "Segment", watched: "Watched" };
const act = (words, does, key) => button(words, () => { does(); draw(); }, { title: key });
function actsFor(item) {
  const label = item?.label ?? state.label;
  const acts = [];
  if (item?.kind === "detection") acts.push(act("Yes", edits.accept, "Enter"), act("No", edits.remove, "Delete"));
  else if (item) {
    if (item.kind !== "point") acts.push(act("Starts here", () => edits.setEdge("start"), "["), act("Ends here", () => edits.setEdge("end"), "]"), act("Split here", edits.split, "Shift+S"), act("Merge with next", edits.merge, "Shift+M"));
    acts.push(act("Copy", edits.copy, "Shift+C"), act("Delete", edits.remove, "Delete"));
  }
  if (edits.isCopied()) acts.push(act("Paste", edits.paste, "Shift+V"));
  if (label) acts.push(act(`Nothing else of ${label} here`, edits.nothingElse, "Shift+N"));
  acts.push(act("I watched this part", edits.watchedHere, "Shift+W"), act("I watched the whole video", edits.watchedAll, "Shift+D"));
  return acts;
}

let seen = "";
function drawChosen() {
  if (!state.video) return;
  const item = state.draft ?? chosenItem();
  const key = JSON.stringify([item, state.label, state.part, state.classes.length, Boolean(state.draft), edits.isCopied()]);
  if (key === seen) return;
  seen = key;
  if (!state.draft) $("acts").replaceChildren(...actsFor(item));
  $("chosen").hidden = !item;
  if (!item) return;
  $("chosen-kind").textContent = KINDS[item.kind ?? "detection"];
  const select = $("chosen-label"), none = item.kind === "watched" ? [new Option("all classes", "")] : [];
  select.replaceChildren(...none, ...state.classes.map((one) => new Option(one.name, one.name)));
  select.value = item.label ?? "";
  $("chosen-start-word").textContent = item.kind === "point" ? "at" : "from";
  $("chosen-start").value = clockText(item.start_s, 3);
  $("chosen-end-field").hidden = item.kind === "point";
  if (item.kind !== "point") $("chosen-end").value = clockText(item.end_s, 3);
  const by = item.kind === "detection" ? `score ${item.score.toFixed(2)}${isSettled(item) ? ", decided" : ""}` : `${item.who ?? ""}${item.at ? `, ${new Date(item.at).toLocaleString()}` : ""}${item.from ? ", from what the model found" : ""}`;
  $("chosen-told").textContent = by;
}
onDraw(drawChosen);

$("chosen-label").addEventListener("change", () => edits.relabel($("chosen-label").value || null));
for (const part of ["start", "end"]) $(`chosen-${part}`).addEventListener("change", () => typed(part));
$("chosen").addEventListener("submit", (event) => event.preventDefault());
function typed(part) {
  const item = chosenItem(), time = secondsOf($(`chosen-${part}`).value);
  if (!item) return;
  const start_s = part === "start" ? state.frames.nearest(time) : item.start_s;
  const end_s = part === "end" ? state.frames.nearest(time) : item.end_s ?? null;
  seen = "";
  if (Number.isNaN(time)) tell("Write a time as minutes:seconds, such as 1:05.20.");
  else if (start_s >= state.video.duration_s || (end_s !== null && end_s <= start_s)) tell("The end must come after the start, and both lie in the video.");
  else { edits.setTimes(item, start_s, end_s); seek(part === "start" ? start_s : end_s); }
  draw();
}
$("previous").addEventListener("click", () => stepMark(-1));
$("next").addEventListener("click", () => stepMark(1));
$("loop").title = "Shift+L";
$("loop").setAttribute("aria-label", "Loop the chosen segment, or what the timeline shows");

// The marks of the video as a list, for those who do not see the timeline. It is made when
// it is opened, a hundred at a time.
const PAGE = 100;
const QUIET_MS = 150; // after a change, before the list follows
let shown = PAGE;
function layMarks() {
  if (!$("history").open || !state.video) return;
  const all = stops();
  const rows = all.slice(0, shown).map((item) => make("li", {}, button(told(item), () => { pause(); edits.choose(item.id); seek(item.start_s); }, { class: "plain" })));
  if (all.length > shown) rows.push(make("li", {}, button(`Show more of ${all.length}`, () => { shown += PAGE; layMarks(); })));
  $("mark-list").replaceChildren(...rows);
}
$("history").addEventListener("toggle", layMarks);
export function openMarks() { shown = PAGE; seen = ""; layMarks(); }
let later = null;
onChange(() => { clearTimeout(later); later = setTimeout(layMarks, QUIET_MS); });

// The names of the video, each to be taken away again, and those that marks imply.
export function layNamesHere() {
  if (!state.video) return;
  const own = marksHere(), names = own.filter((mark) => mark.kind === "name");
  const implied = [...new Set(own.filter((mark) => mark.kind === "segment" || mark.kind === "point").map((mark) => mark.label))].filter((label) => !names.some((mark) => mark.label === label));
  const parts = names.map((mark) => button(`${mark.label} ×`, () => edits.toggleName(state.video, mark.label), { class: "name", "aria-label": `Take away the name ${mark.label}` }));
  parts.push(...implied.map((label) => make("span", { class: "name" }, label)));
  const rest = state.classes.filter((one) => !names.some((mark) => mark.label === one.name) && !implied.includes(one.name));
  const more = make("select", { "aria-label": "Name the video without a time", onchange: (event) => event.target.value && edits.toggleName(state.video, event.target.value) }, new Option("add a name …", ""), ...rest.map((one) => new Option(one.name, one.name)));
  const given = state.video.names?.length ? [make("span", { class: "quiet" }, `(the label file says: ${state.video.names.join(", ")})`)] : [];
  $("names-here").replaceChildren(make("span", { class: "quiet" }, "In this video:"), ...parts, ...(rest.length ? [more] : []), ...given);
}
onChange(layNamesHere);
