// Draws the timeline on its canvases: only what is in view, and one column only once.
import { $, clockText } from "./elements.js";
import { lanesOf, WATCHED_LANE } from "./lanes.js";
import { colourOf, marksHere, state } from "./state.js";

const STEPS = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const TICK_PX = 76; // between written times
const CROWDED_PX = 7; // points that are nearer to each other are lines
const PICTURES = 32; // in the strip of a video, evenly spread

// A pen for a canvas in CSS pixels, cleared.
function pen(id, height) {
  const canvas = $(id), ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth, w = Math.round(width * ratio), h = Math.round(height * ratio);
  if (canvas.height !== h) { canvas.height = h; canvas.style.height = `${height}px`; }
  if (canvas.width !== w) canvas.width = w;
  const brush = canvas.getContext("2d");
  brush.setTransform(ratio, 0, 0, ratio, 0, 0);
  brush.clearRect(0, 0, width, height);
  return [brush, width];
}

let ink = {};
export function readInk() {
  const style = getComputedStyle(document.documentElement);
  ink = Object.fromEntries(["ink", "paper", "lane", "soft", "line", "quiet", "mark", "bad"].map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
}

export const xOf = (time, width) => ((time - state.from) / (state.to - state.from)) * width;

export function drawLanes() {
  const { lanes, height } = lanesOf();
  const [brush, width] = pen("lanes", height);
  for (const lane of lanes) {
    brush.fillStyle = ink.lane;
    brush.fillRect(0, lane.top, width, lane.bottom - lane.top);
    const colour = lane.label === WATCHED_LANE ? ink.quiet : colourOf(lane.label);
    for (const row of lane.rows.values()) drawRow(brush, width, row, colour);
  }
  for (const [label, start] of state.growing) {
    const lane = lanes.find((one) => one.label === label), row = lane?.rows.get("marks");
    if (!row) continue;
    const [a, b] = [xOf(start, width), xOf(state.now, width)].sort((x, y) => x - y);
    brush.fillStyle = colourOf(label);
    brush.globalAlpha = 0.55;
    brush.fillRect(a, row.top, Math.max(2, b - a), row.height);
    brush.globalAlpha = 1;
  }
}

const ROW_DRAWERS = {
  marks(brush, x, w, row, item, colour) {
    if (item.kind === "watched") { hatch(brush, x, w, row, colour); return; }
    brush.fillStyle = colour;
    brush.fillRect(x, row.top, w, row.height);
    if (w <= 3) return;
    brush.strokeStyle = ink.ink; // tells light colours from the lane, and marks that touch
    brush.globalAlpha = 0.5;
    brush.strokeRect(x + 0.5, row.top + 0.5, w - 1, row.height - 1);
    brush.globalAlpha = 1;
  },
  watched(brush, x, w, row, item, colour) { hatch(brush, x, w, row, colour); },
  found(brush, x, w, row, item, colour) {
    brush.strokeStyle = brush.fillStyle = colour;
    brush.globalAlpha = item.settled ? 0.3 : 1;
    if (w > 3) {
      brush.strokeRect(x + 0.5, row.top + 1.5, w - 1, row.height - 3);
      brush.globalAlpha *= 0.65;
    }
    brush.fillRect(x, row.top + 1, w, row.height - 2);
    brush.globalAlpha = 1;
  },
  other(brush, x, w, row, item, colour) {
    brush.strokeStyle = colour;
    brush.setLineDash([3, 2]);
    brush.strokeRect(x + 0.5, row.top + 1.5, Math.max(1, w - 1), row.height - 3);
    brush.setLineDash([]);
  },
  truth(brush, x, w, row) {
    brush.fillStyle = ink.ink;
    brush.fillRect(x, row.top + 1, w, row.height - 2);
  },
};
function hatch(brush, x, w, row, colour) {
  brush.fillStyle = colour;
  brush.globalAlpha = 0.45;
  brush.fillRect(x, row.top + row.height / 2 - 1.5, w, 3);
  brush.globalAlpha = 1;
  brush.fillRect(x, row.top, 2, row.height);
  brush.fillRect(x + w - 2, row.top, 2, row.height);
}

function drawRow(brush, width, row, colour) {
  const paint = ROW_DRAWERS[row.row], { from, to, draft, chosen } = state;
  let last = -1, lastPoint = -Infinity, late = null;
  for (const given of row.items) {
    const item = draft && draft.id === given.id ? draft : given;
    if (item.start_s > to) { if (!draft) break; continue; } // sorted, but for what is dragged
    const isPoint = item.kind === "point";
    if ((isPoint ? item.start_s : item.end_s) < from) continue;
    if (item.id === chosen) { late = item; continue; }
    if (isPoint) {
      const x = xOf(item.start_s, width);
      if (x - lastPoint >= CROWDED_PX) point(brush, x, row, colour, false);
      else if (x - lastPoint >= 1) { brush.fillStyle = colour; brush.fillRect(x, row.top, 1, row.height); } else continue;
      lastPoint = x;
      continue;
    }
    const a = Math.max(-2, xOf(item.start_s, width)), b = Math.min(width + 2, xOf(item.end_s, width));
    if (b < last + 1) continue; // its columns are painted already
    paint(brush, a, Math.max(1.5, b - a), row, item, colour);
    last = Math.max(last, b);
  }
  if (late) drawChosen(brush, width, row, late, colour, paint);
}

function drawChosen(brush, width, row, item, colour, paint) {
  if (item.kind === "point") { point(brush, xOf(item.start_s, width), row, colour, true); return; }
  const a = xOf(item.start_s, width), b = xOf(item.end_s, width), left = Math.max(-4, a), w = Math.max(2, Math.min(width + 4, b) - left);
  paint(brush, left, w, row, { ...item, settled: false }, colour);
  brush.strokeStyle = ink.ink;
  const line = row.height < 8 ? 1 : 2;
  brush.lineWidth = line;
  brush.strokeRect(left + line / 2, row.top + line / 2, w - line, row.height - line);
  brush.fillStyle = ink.ink;
  const grips = { start: [a], end: [b], whole: [] }[state.part];
  for (const x of grips) brush.fillRect(x - 3, row.top - 1, 6, row.height + 2);
  brush.lineWidth = 1;
}

function point(brush, x, row, colour, isChosen) {
  const middle = row.top + row.height / 2, size = row.height / 2;
  brush.beginPath();
  brush.moveTo(x, middle - size);
  brush.lineTo(x + size * 0.7, middle);
  brush.lineTo(x, middle + size);
  brush.lineTo(x - size * 0.7, middle);
  brush.closePath();
  brush.fillStyle = colour;
  brush.fill();
  brush.strokeStyle = isChosen ? ink.ink : ink.paper;
  brush.lineWidth = isChosen ? 2 : 1;
  brush.stroke();
  brush.lineWidth = 1;
}

export function drawRuler() {
  const [brush, width] = pen("ruler", 22), { from, to, frames } = state, shown = to - from;
  const step = STEPS.find((one) => (one / shown) * width >= TICK_PX) ?? STEPS.at(-1);
  const digits = step >= 1 ? 0 : step >= 0.1 ? 1 : step >= 0.01 ? 2 : 3;
  brush.font = "11px system-ui, sans-serif";
  brush.fillStyle = ink.quiet;
  brush.textAlign = "center";
  const framePx = (frames.shortest / shown) * width;
  if (frames.times && framePx >= 5) {
    for (let i = frames.at(from); i < frames.times.length && frames.times[i] <= to; i++) brush.fillRect(Math.round(xOf(frames.times[i], width)), 17, 1, 5);
  }
  for (let n = Math.ceil(from / step); n * step <= to; n++) {
    const x = xOf(n * step, width);
    brush.fillRect(Math.round(x), 14, 1, 8);
    const text = clockText(n * step, digits), half = brush.measureText(text).width / 2;
    if (x > half && x < width - half) brush.fillText(text, x, 11);
  }
}

export function drawOverview() {
  const [brush, width] = pen("overview", 16), whole = state.video.duration_s;
  brush.fillStyle = ink.soft;
  brush.fillRect(0, 0, width, 16);
  let last = -1;
  for (const mark of marksHere()) {
    if (mark.start_s === null || mark.kind === "watched") continue;
    const a = (mark.start_s / whole) * width, b = ((mark.end_s ?? mark.start_s) / whole) * width;
    if (b < last + 0.5) continue;
    brush.fillStyle = colourOf(mark.label);
    brush.fillRect(a, 4, Math.max(1, b - a), 8);
    last = Math.max(last, b);
  }
  const a = (state.from / whole) * width, b = (state.to / whole) * width;
  brush.strokeStyle = ink.mark;
  brush.lineWidth = 2;
  brush.strokeRect(a + 1, 1, Math.max(2, b - a - 2), 14);
  brush.lineWidth = 1;
}

// Pictures keep their shape: each place shows the picture that is nearest to its time. While
// they are being made, their place is kept free, so that the lanes below do not move.
export function drawStrip(image, isExpected) {
  const height = isExpected ? 54 : 0, [brush, width] = pen("strip", height);
  if (!image) return;
  const own = image.naturalWidth / PICTURES, wide = Math.max(20, (own / image.naturalHeight) * height), whole = state.video.duration_s;
  for (let x = 0; x < width; x += wide) {
    const time = state.from + ((x + wide / 2) / width) * (state.to - state.from);
    const i = Math.min(PICTURES - 1, Math.max(0, Math.floor((time / whole) * PICTURES)));
    brush.drawImage(image, i * own, 0, own, image.naturalHeight, x, 0, wide, height);
  }
}

export function drawPlayhead() {
  const lanes = $("lanes"), share = (state.now - state.from) / (state.to - state.from), line = $("playhead");
  line.hidden = share < 0 || share > 1;
  line.style.transform = `translateX(${$("strip").offsetLeft + share * lanes.clientWidth}px)`;
}
