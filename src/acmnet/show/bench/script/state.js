// What is looked at: one video, a stretch of it, and a mark that is chosen in it.
import { Marks } from "./marks.js";
import { Frames } from "./frames.js";
import { colourAt } from "./elements.js";

const changedListeners = new Set(), drawListeners = new Set();
let waiting = false;

export const marks = new Marks((changed, isOwn) => {
  for (const listener of changedListeners) listener(changed, isOwn);
  draw();
});

export const state = {
  videos: [], classes: [], who: "", round: 0,
  page: "watch", // or "names"
  video: null, // an entry of videos
  frames: new Frames(null, 1),
  now: 0, from: 0, to: 1, // seconds
  chosen: null, // the id of a mark or of a detection
  part: "whole", // or "start", "end": what the arrow keys move
  label: null, // the class that was marked last
  draft: null, // a mark that is being dragged, in place of the one with its id
  growing: [], // [label, start]: segments that grow while a key is held or until the second tap
  sure: -Infinity, // detections with a lower score are not shown
  other: null, // detections of another round, by video, to compare
};

export const onChange = (listener) => changedListeners.add(listener);
export const onDraw = (listener) => drawListeners.add(listener);
export function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    for (const listener of drawListeners) listener();
  });
}

export const marksHere = () => (state.video ? marks.of(state.video.id) : []);
export const classIndex = (label) => state.classes.findIndex((one) => one.name === label);
export const colourOf = (label) => colourAt(classIndex(label));
export const visibleDetections = () => (state.video?.detections ?? []).filter((one) => one.score >= state.sure);

// The chosen mark or detection; a detection has the kind "detection".
export function chosenItem() {
  if (!state.chosen || !state.video) return null;
  const mark = marks.get(state.chosen);
  if (mark) return mark.gone || mark.video !== state.video.id ? null : mark;
  return state.video.detections.find((one) => one.id === state.chosen) ?? null;
}

// Whether a person has decided on a detection: accepted, rejected, or watched there.
export function isSettled(detection, own = marksHere()) {
  return own.some((mark) => {
    if (mark.from === detection.id) return true;
    if (mark.kind === "watched") return (mark.label === null || mark.label === detection.label) && mark.start_s <= detection.start_s && mark.end_s >= detection.end_s;
    return mark.kind === "segment" && mark.label === detection.label && overlap(mark, detection) >= 0.5;
  });
}

// Shared time over the time that both cover.
export function overlap(one, other) {
  const shared = Math.min(one.end_s, other.end_s) - Math.max(one.start_s, other.start_s);
  return shared <= 0 ? 0 : shared / (Math.max(one.end_s, other.end_s) - Math.min(one.start_s, other.start_s));
}

export function look(from, width) {
  const whole = state.video.duration_s, shown = Math.min(whole, Math.max(Math.min(whole, state.frames.shortest * 4), width));
  state.from = Math.min(Math.max(0, from), whole - shown);
  state.to = state.from + shown;
  draw();
}
export function zoom(factor, anchor = Math.min(Math.max(state.now, state.from), state.to)) {
  const width = state.to - state.from, share = (anchor - state.from) / width;
  const whole = state.video.duration_s, next = Math.min(whole, Math.max(Math.min(whole, state.frames.shortest * 4), width * factor));
  look(anchor - share * next, next);
}
export function showTime(time) {
  const width = state.to - state.from, near = Math.max(0.05 * width, state.frames.shortest);
  if (time < state.from - near || time > state.to + near) look(time - width / 2, width);
  else if (time < state.from) look(time, width);
  else if (time > state.to) look(time - width, width);
}
