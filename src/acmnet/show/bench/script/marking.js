// Marking while it plays: a tap makes a point, a hold makes a segment, and so do two taps.
import { $, button, inkOn, make, memory, tell } from "./elements.js";
import { addPoint, addSegment, choose, stretchPoint } from "./edits.js";
import { isPlaying } from "./player.js";
import { colourOf, draw, marks, onChange, state } from "./state.js";

const HOLD_MS = 300; // a key that is down for less is a tap
const TWICE = "acmnet bench: tap twice";

const held = new Map(); // label -> {start, at, wasPlaying}
const begun = new Map(); // label -> id of the point that the second tap makes a segment
let tapTwice = memory.read(TWICE) === "true";

export function press(label) {
  if (held.has(label) || !state.video) return;
  state.label = label;
  held.set(label, { start: state.now, at: performance.now(), wasPlaying: isPlaying() });
  grow();
}

export function release(label) {
  const one = held.get(label);
  if (!one) return;
  held.delete(label);
  if (one.wasPlaying && performance.now() - one.at >= HOLD_MS && state.now > one.start) {
    addSegment(label, one.start, state.now);
  } else tap(label, one.start);
  grow();
}
export function releaseAll() { for (const label of [...held.keys()]) release(label); }

export function tap(label, time) {
  state.label = label;
  if (!tapTwice) { addPoint(label, time); return; }
  const first = marks.get(begun.get(label));
  begun.delete(label);
  if (first && !first.gone && first.kind === "point" && first.video === state.video.id && first.start_s !== time) {
    stretchPoint(first, time);
  } else {
    begun.set(label, addPoint(label, time).id);
    choose(null); // so that the arrows go on through the video
    tell(`${label} begins here: tap again where it ends.`);
  }
  grow();
}

// Let begun segments stay the points that they are.
export function forget() {
  held.clear();
  begun.clear();
  grow();
}

// Which segments are growing, for the timeline.
function grow() {
  const firsts = [...begun].map(([label, id]) => [label, marks.get(id)]).filter(([, mark]) => mark && !mark.gone && mark.kind === "point" && mark.video === state.video?.id);
  state.growing = [...[...held].filter(([, one]) => one.wasPlaying).map(([label, one]) => [label, one.start]), ...firsts.map(([label, mark]) => [label, mark.start_s])];
  for (const chip of $("chips").children) chip.classList.toggle("on", state.growing.some(([label]) => label === chip.dataset.label));
  draw();
}

export function setTapTwice(value) {
  tapTwice = value;
  memory.write(TWICE, value);
  $("tap-point").setAttribute("aria-pressed", !value);
  $("tap-twice").setAttribute("aria-pressed", value);
  forget();
}
export const toggleTapTwice = () => setTapTwice(!tapTwice);

// A class as a button, with its key and its colour.
export function classChip(one, act) {
  const chip = button("", act, { class: "chip", "data-label": one.name, "aria-keyshortcuts": one.key, title: one.key ? `${one.name}: key ${one.key}` : one.name });
  if (one.key) chip.append(make("kbd", {}, one.key));
  chip.append(make("span", {}, one.name));
  chip.style.setProperty("--colour", colourOf(one.name));
  chip.style.setProperty("--on-colour", inkOn(colourOf(one.name)));
  return chip;
}

export function layChips() {
  $("chips").replaceChildren(...state.classes.map((one) => {
    // a click without a pointer comes from Enter, a space or a screen reader
    const chip = classChip(one, (event) => { if (event.detail === 0) tap(one.name, state.now); });
    chip.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      chip.setPointerCapture(event.pointerId);
      press(one.name);
    });
    for (const name of ["pointerup", "pointercancel"]) chip.addEventListener(name, () => release(one.name));
    chip.addEventListener("contextmenu", (event) => event.preventDefault()); // of a long touch
    return chip;
  }));
}

$("tap-point").addEventListener("click", () => setTapTwice(false));
$("tap-twice").addEventListener("click", () => setTapTwice(true));
setTapTwice(tapTwice);
onChange(grow);
window.addEventListener("blur", releaseAll);
window.addEventListener("pagehide", releaseAll);
