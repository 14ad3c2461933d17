// Every way in which a person makes, alters or removes marks by intent: split, merge, reject ...
import { counted, tell } from "./elements.js";
import { sameStatement } from "./marks.js";
import { chosenItem, marks, marksHere, state } from "./state.js";

export const newMark = (values) => ({ id: crypto.randomUUID(), video: state.video.id, kind: "segment", label: null, start_s: null, end_s: null, who: state.who, at: new Date().toISOString(), from: null, gone: false, version: 0, ...values });
export const altered = (mark, values) => ({ ...mark, ...values, who: state.who, at: new Date().toISOString() });
export const described = (mark) => (mark.kind === "watched" ? (mark.label === null ? "watched" : `nothing else of ${mark.label}`) : mark.label);

export function choose(id, part = "whole") {
  state.chosen = id;
  state.part = part;
}

// The mark that says the same already: what is marked twice is one mark.
const twinOf = (values) => marksHere().find((mark) => mark.id !== values.id && mark.kind !== "watched" && sameStatement(mark, values));
const chooseTwin = (twin) => {
  choose(twin.id);
  tell(`This ${twin.kind} of ${twin.label} is marked already: it stays one mark.`);
  return twin;
};

function make(values, sentence = null) {
  const made = newMark(values), twin = twinOf(made);
  if (twin) return chooseTwin(twin);
  marks.change([made]);
  choose(made.id);
  if (sentence) tell(sentence);
  return marks.get(made.id);
}

export const addPoint = (label, time) => make({ kind: "point", label, start_s: time }, `Marked a point of ${label}.`);
export const addSegment = (label, start_s, end_s) => make({ label, start_s, end_s }, `Marked ${label}.`);

// Change one mark. Where it then says what another one says, both stay until they are moved
// apart or one is deleted; the label file has it once.
function alter(mark, values, sentence = null, join = null) {
  const [now] = marks.change([altered(mark, values)], join);
  if (twinOf(now)) tell(`Two marks of ${now.label} are the same now: they count once.`);
  else if (sentence) tell(sentence);
}

// A point becomes the segment between it and a second time.
export function stretchPoint(point, time) {
  if (time === point.start_s) return;
  const [start_s, end_s] = [point.start_s, time].sort((a, b) => a - b);
  const twin = twinOf({ ...point, kind: "segment", start_s, end_s });
  if (twin) { marks.change([altered(point, { gone: true })]); chooseTwin(twin); return; }
  marks.change([altered(point, { kind: "segment", start_s, end_s })]);
  choose(point.id);
  tell(`Marked ${point.label}.`);
}

// Give the chosen mark other times; changes that follow each other closely are undone as one.
export function setTimes(mark, start_s, end_s, join = null) {
  if (mark.kind === "detection") { acceptWith(mark, { start_s, end_s }); return; }
  if (start_s === mark.start_s && end_s === mark.end_s) return;
  alter(mark, { start_s, end_s }, null, join);
}

// Move the chosen part by frames.
export function nudge(n) {
  const mark = chosenItem(), { frames } = state;
  if (!mark) return null;
  const part = mark.kind === "point" ? "whole" : state.part;
  let { start_s, end_s } = mark;
  if (part !== "end") start_s = frames.step(start_s, n);
  if (part !== "start" && end_s !== null) end_s = part === "end" ? frames.step(end_s, n) : frames.nearest(start_s + (mark.end_s - mark.start_s));
  if (end_s !== null && (end_s <= start_s || (part === "whole" && Math.abs(end_s - start_s - (mark.end_s - mark.start_s)) > 1.5 * frames.shortest))) return null;
  setTimes(mark, start_s, end_s, `nudge ${mark.id} ${part}`);
  return part === "end" ? end_s : start_s;
}

// Set the start or the end of the chosen mark to the present time.
export function setEdge(part) {
  const mark = chosenItem();
  if (!mark || mark.end_s === null || mark.kind === "point") { tell("Choose a segment first: its edge will come here."); return; }
  const start_s = part === "start" ? state.now : mark.start_s, end_s = part === "end" ? state.now : mark.end_s;
  if (end_s <= start_s) { tell("The end must come after the start."); return; }
  setTimes(mark, start_s, end_s);
}

export function relabel(label) {
  const mark = chosenItem();
  if (!mark) { tell("Choose a mark first: it will get the class."); return; }
  const sentence = label === null ? null : `The chosen mark is ${label} now.`;
  if (mark.kind !== "detection" && mark.label !== label) { alter(mark, { label }, sentence); return; }
  if (mark.kind === "detection") acceptWith(mark, { label });
  if (sentence) tell(sentence);
}

export function split() {
  const mark = cuttable();
  if (!mark) { tell("Go to a time inside a segment to split it there."); return; }
  const later = { ...newMark(mark), id: crypto.randomUUID(), version: 0, start_s: state.now };
  marks.change([altered(mark, { end_s: state.now }), later]);
  choose(later.id);
  tell(`Split ${described(mark)} here.`);
}
function cuttable() {
  const holds = (mark) => mark && (mark.kind === "segment" || mark.kind === "watched") && mark.start_s < state.now && state.now < mark.end_s;
  const chosen = chosenItem();
  if (holds(chosen)) return chosen;
  const all = marksHere().filter((mark) => mark.kind === "segment" && holds(mark));
  return all.length === 1 ? all[0] : null;
}

// The chosen segment takes in the one that comes next in its class.
export function merge() {
  const mark = chosenItem();
  const isAlike = (other) => other.id !== mark.id && other.kind === mark.kind && other.label === mark.label && other.start_s >= mark.start_s;
  const next = mark && mark.end_s !== null && mark.kind !== "detection" ? marksHere().find(isAlike) : null;
  if (!next) { tell("Choose a segment that another one of its class comes after."); return; }
  marks.change([altered(mark, { end_s: Math.max(mark.end_s, next.end_s) }), altered(next, { gone: true })]);
  tell(`Merged two segments of ${described(mark)}.`);
}

// A copy begins at the present time, which may be in another video than the original.
let copied = null;
export const isCopied = () => copied !== null;
export function copy() {
  const mark = chosenItem();
  if (!mark) { tell("Choose a mark first."); return; }
  copied = mark;
  tell(`Copied ${described(mark)}: go to where it should begin, in any video, and paste.`);
}
export function paste() {
  if (!copied) { tell("Copy a mark first."); return; }
  const length = copied.end_s === null || copied.end_s === undefined ? null : copied.end_s - copied.start_s;
  const end_s = length === null ? null : state.frames.nearest(Math.min(state.now + length, state.video.duration_s));
  if (end_s !== null && end_s <= state.now) { tell("There is no room for it at the end of the video."); return; }
  make({ kind: copied.kind === "detection" ? "segment" : copied.kind, label: copied.label, start_s: state.now, end_s });
}

// Accepting a detection makes a segment of it; correcting one does so with other times.
export function acceptWith(detection, values = {}) {
  const { label, start_s, end_s, id } = detection, { frames } = state;
  const before = marksHere().find((mark) => mark.from === id && mark.kind === "segment");
  const times = { start_s: frames.nearest(start_s), end_s: frames.nearest(end_s), ...values };
  if (before) { marks.change([altered(before, values)]); choose(before.id); return; }
  const rejected = marksHere().filter((mark) => mark.from === id && mark.kind === "watched");
  const made = newMark({ label, from: id, ...times }), twin = twinOf(made);
  // a segment that a person marked there without the detection accepts it now
  const kept = twin ? altered(twin, { from: twin.from ?? id }) : made;
  marks.change([kept, ...rejected.map((one) => altered(one, { gone: true }))]);
  choose(kept.id);
}
export function accept() {
  const item = chosenItem();
  if (item?.kind !== "detection") { tell("Choose something that the model found first."); return false; }
  acceptWith(item);
  tell(`Yes, this is ${item.label}. The arrows move it.`);
  return true;
}

// A rejected detection is a span that was watched for its class: nothing of it is there
// but what is marked. A mark that was accepted from it goes.
export function remove() {
  const item = chosenItem();
  if (!item) { tell("Choose a mark first."); return; }
  if (item.kind === "detection") {
    const accepted = marksHere().filter((mark) => mark.from === item.id);
    marks.change([newMark({ kind: "watched", label: item.label, start_s: item.start_s, end_s: item.end_s, from: item.id }), ...accepted.map((one) => altered(one, { gone: true }))]);
    tell(`No, this is not ${item.label}.`);
    return;
  }
  marks.change([altered(item, { gone: true })]);
  choose(null);
  tell(`Deleted ${described(item)}.`);
}

// Say that a span was watched: for one class, or for all (null). Spans that touch become one.
export function watched(label, start_s, end_s) {
  const touches = (mark) => mark.kind === "watched" && mark.label === label && mark.from === null && mark.start_s <= end_s && mark.end_s >= start_s;
  const [first, ...rest] = marksHere().filter(touches);
  if (!first) make({ kind: "watched", label, start_s, end_s });
  else {
    const all = [first, ...rest], span = { start_s: Math.min(start_s, ...all.map((m) => m.start_s)), end_s: Math.max(end_s, ...all.map((m) => m.end_s)) };
    marks.change([altered(first, span), ...rest.map((mark) => altered(mark, { gone: true }))]);
    choose(first.id);
  }
}
const isWhole = () => state.from <= 0 && state.to >= state.video.duration_s;
const shownSpan = () => [state.frames.nearest(state.from), state.frames.nearest(state.to)];
export function nothingElse() {
  const label = chosenItem()?.label ?? state.label;
  if (!label) { tell("Choose a mark or a class first: nothing else of its class will be here."); return; }
  watched(label, ...shownSpan());
  tell(`Nothing else of ${label} is in ${isWhole() ? "this video" : "what the timeline shows"}.`);
}
export function watchedHere() {
  watched(null, ...shownSpan());
  tell(isWhole() ? "You watched the whole video: whatever is not marked is not there." : "You watched what the timeline shows: whatever is not marked there is not there.");
}
export function watchedAll() {
  watched(null, 0, state.video.duration_s);
  tell("You watched the whole video: whatever is not marked is not there.");
}

// Give a video the name of a class, or take it away.
export function toggleName(video, label) {
  const old = marks.of(video.id).find((mark) => mark.kind === "name" && mark.label === label);
  if (old) marks.change([altered(old, { gone: true })]);
  else marks.change([newMark({ video: video.id, kind: "name", label })]);
  return !old;
}
export function nothingIn(video) {
  const names = marks.of(video.id).filter((mark) => mark.kind === "name");
  const span = newMark({ video: video.id, kind: "watched", start_s: 0, end_s: video.duration_s });
  marks.change([span, ...names.map((mark) => altered(mark, { gone: true }))]);
}

export function undo() { move("undo", "Undone.", "There is nothing to undo."); }
export function redo() { move("redo", "Done again.", "There is nothing to redo."); }
function move(which, done, none) {
  const ids = marks[which]();
  if (!ids) { tell(marks.blocked ? "Somebody else has changed this mark since: it stays as it is." : none); return; }
  const mark = marks.get(ids[0]);
  if (mark.video === state.video?.id) choose(mark.gone ? null : mark.id);
  tell(`${done} ${counted(ids.length, "mark")} of ${mark.video}.`);
}
