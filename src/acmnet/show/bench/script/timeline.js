// The timeline under mouse, touch and wheel, and when it is drawn anew.
import { $, make } from "./elements.js";
import { choose, described, setTimes } from "./edits.js";
import { drawLanes, drawOverview, drawPlayhead, drawRuler, drawStrip, readInk, xOf } from "./drawing.js";
import { forgetLanes, hit, lanesOf, WATCHED_LANE } from "./lanes.js";
import { stripOf } from "./pictures.js";
import { pause, seek, showPicture } from "./player.js";
import { colourOf, draw, look, onChange, onDraw, state, zoom } from "./state.js";

const REACH_PX = { mouse: 5, pen: 8, touch: 16 }; // how near to an edge is on it
const MOVES_PX = { mouse: 2, pen: 4, touch: 8 }; // a shorter way is a click
const WHEEL = 0.0016; // how fast the wheel zooms

const LEGEND = {
  found: "thin bar: found by the model, faded once you decided",
  other: "dashed: found by another round",
  truth: "line without colour: given by the label file",
  watched: "thin line with ends: watched, nothing else of this class",
};

const lanes = $("lanes");
const pointers = new Map(); // id -> {x, y}
let drag = null; // {kind: "edge" | "pan" | "scrub" | "pinch", ...}
let image = null; // the strip of pictures
let isStripExpected = false; // it is shown or may still come

const width = () => lanes.clientWidth;
const timeAt = (x) => state.from + (x / width()) * (state.to - state.from);
const placeOf = (event, node) => { const box = node.getBoundingClientRect(); return { x: event.clientX - box.left, y: event.clientY - box.top }; };

function found(event) {
  const { x, y } = placeOf(event, lanes);
  return hit(x, y, (time) => xOf(time, width()), REACH_PX[event.pointerType] ?? 5);
}

lanes.addEventListener("pointerdown", (event) => {
  if (event.button) return;
  $("timeline").focus({ preventScroll: true });
  lanes.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, placeOf(event, lanes));
  if (pointers.size === 2) { beginPinch(); return; }
  const { x } = placeOf(event, lanes), at = found(event);
  if (at?.item) {
    const part = at.item.kind === "point" ? "whole" : at.part;
    // a touch must choose a mark before it can move it, so that a finger can also scroll
    const mayMove = event.pointerType !== "touch" || at.item.id === state.chosen;
    choose(at.item.id, part);
    drag = mayMove ? { kind: "edge", mark: at.item, part, from: x, grip: timeAt(x), moved: false } : { kind: "pan", from: x, start: state.from, moved: false, chose: true };
    draw();
  } else drag = { kind: event.pointerType === "touch" ? "pan" : "scrub", from: x, start: state.from, moved: false };
  if (drag.kind === "scrub") { choose(null); pause(); seek(state.frames.nearest(timeAt(x))); }
});

lanes.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) { point(event); return; }
  const place = placeOf(event, lanes);
  pointers.set(event.pointerId, place);
  if (drag?.kind === "pinch") { pinch(); return; }
  if (!drag) return;
  drag.moved ||= Math.abs(place.x - drag.from) > (MOVES_PX[event.pointerType] ?? 2);
  if (!drag.moved) return;
  if (drag.kind === "edge") dragMark(place.x);
  else if (drag.kind === "pan") look(drag.start - ((place.x - drag.from) / width()) * (state.to - state.from), state.to - state.from);
  else seek(state.frames.nearest(timeAt(place.x)));
});

function dragMark(x) {
  const { mark, part, grip } = drag, { frames } = state, whole = state.video.duration_s;
  const time = Math.min(Math.max(0, timeAt(x)), whole);
  let { start_s, end_s } = mark;
  if (part === "start") start_s = Math.min(frames.nearest(time), frames.step(end_s, -1));
  else if (part === "end") end_s = Math.max(frames.nearest(time), frames.step(start_s, 1));
  else {
    const length = end_s === null || end_s === undefined ? 0 : end_s - start_s;
    start_s = frames.nearest(Math.min(Math.max(0, start_s + time - grip), whole - length));
    if (length) end_s = frames.nearest(start_s + length);
  }
  state.draft = { ...mark, start_s, end_s };
  showPicture(part === "end" ? end_s : start_s);
  draw();
}

function endDrag(event) {
  pointers.delete(event.pointerId);
  const done = drag;
  if (pointers.size || !done) return;
  drag = null;
  const { draft } = state;
  state.draft = null;
  if (event.type === "pointercancel") { draw(); return; }
  if (draft) {
    setTimes(done.mark, draft.start_s, draft.end_s);
    seek(done.part === "end" ? draft.end_s : draft.start_s);
  } else if (done.kind === "edge" && !done.moved) {
    pause();
    seek(done.part === "start" ? done.mark.start_s : done.part === "end" ? done.mark.end_s : state.frames.nearest(timeAt(done.from)));
  } else if (done.kind === "pan" && !done.moved) {
    if (!done.chose) choose(null);
    pause();
    seek(state.frames.nearest(timeAt(done.from)));
  }
  draw();
}
lanes.addEventListener("pointerup", endDrag);
lanes.addEventListener("pointercancel", endDrag);

function beginPinch() {
  state.draft = null;
  const [a, b] = [...pointers.values()].map((one) => one.x);
  drag = { kind: "pinch", apart: Math.max(20, Math.abs(a - b)), shown: state.to - state.from, anchor: timeAt((a + b) / 2) };
}
function pinch() {
  const [a, b] = [...pointers.values()].map((one) => one.x);
  const shown = (drag.shown * drag.apart) / Math.max(20, Math.abs(a - b));
  look(drag.anchor - ((a + b) / 2 / width()) * shown, shown);
}

// The pointer's shape says what would be moved; the tooltip says what is there.
function point(event) {
  const at = found(event);
  lanes.style.cursor = at?.item ? (at.item.kind === "point" || at.part === "whole" ? "grab" : "ew-resize") : "crosshair";
  const item = at?.item;
  lanes.title = item ? `${item.kind === "detection" || item.score !== undefined ? `the model found ${item.label}, ${item.score.toFixed(2)}` : described(item)}` : "";
}

$("timeline").addEventListener("wheel", (event) => {
  if (event.target.closest("#lane-names")) return; // scrolls the lanes
  event.preventDefault();
  const { x } = placeOf(event, lanes), unit = event.deltaMode === 1 ? 30 : 1;
  const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
  if (sideways) look(state.from + ((sideways * unit) / width()) * (state.to - state.from), state.to - state.from);
  else zoom(Math.exp(event.deltaY * unit * (event.ctrlKey ? 6 : 1) * WHEEL), timeAt(Math.min(Math.max(0, x), width())));
}, { passive: false });

// The ruler and the pictures go to a time; the overview moves what is shown.
function dragging(node, act) {
  node.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    node.setPointerCapture(event.pointerId);
    act(placeOf(event, node).x / node.clientWidth);
  });
  node.addEventListener("pointermove", (event) => { if (node.hasPointerCapture(event.pointerId)) act(placeOf(event, node).x / node.clientWidth); });
}
const scrub = (share) => { pause(); seek(state.frames.nearest(Math.min(Math.max(state.from, state.from + share * (state.to - state.from)), state.to))); };
dragging($("ruler"), scrub);
dragging($("strip"), scrub);
dragging($("overview"), (share) => look(share * state.video.duration_s - (state.to - state.from) / 2, state.to - state.from));

export async function openStrip(video) {
  image = null;
  isStripExpected = Boolean(video.strip_url);
  drawn = "";
  if (!isStripExpected) return;
  const made = await stripOf(video.strip_url, () => state.video === video);
  if (state.video !== video) return;
  image = made;
  isStripExpected = made !== null;
  drawn = "";
  draw();
}

function layNames() {
  const { lanes: all } = lanesOf();
  $("lane-names").replaceChildren(...all.map((lane) => {
    const words = lane.label === WATCHED_LANE ? "watched" : lane.label;
    const name = make("span", { class: "lane-name", title: words }, words);
    name.style.top = `${lane.top}px`;
    name.style.height = name.style.lineHeight = `${lane.bottom - lane.top}px`;
    if (lane.label !== WATCHED_LANE) name.style.setProperty("--colour", colourOf(lane.label));
    return name;
  }));
  const rows = new Set(all.flatMap((lane) => [...lane.rows.values()].filter((row) => row.items.length).map((row) => row.row)));
  $("legend").textContent = Object.entries(LEGEND).filter(([row]) => rows.has(row)).map(([, words]) => words).join(" · ");
  $("empty").hidden = all.length > 0;
  $("empty").textContent = state.classes.length ? "Nothing is marked yet. Play, and tap the key of a class where it happens, or hold it as long as it lasts." : "Begin with a class: write what happens in your videos into “New class”.";
}

let laid = 0, seen = -1, drawn = "", grown = 0;
export function relay() { forgetLanes(); laid++; draw(); }
onChange(relay);
onDraw(() => {
  if (!state.video || state.page !== "watch") return;
  if (state.growing.length !== grown) { grown = state.growing.length; relay(); }
  if (seen !== laid) layNames();
  drawLanes();
  const key = [state.video.id, state.from, state.to, width(), window.devicePixelRatio, state.frames.times !== null].join();
  if (key !== drawn) { drawRuler(); drawStrip(image, isStripExpected); }
  if (key !== drawn || seen !== laid) drawOverview();
  [drawn, seen] = [key, laid];
  drawPlayhead();
});
export function repaint() { readInk(); drawn = ""; draw(); }
new ResizeObserver(() => { drawn = ""; draw(); }).observe(lanes);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);

$("zoom-in").addEventListener("click", () => zoom(0.5));
$("zoom-out").addEventListener("click", () => zoom(2));
$("zoom-all").addEventListener("click", () => look(0, state.video.duration_s));
