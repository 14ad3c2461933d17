// Where on the timeline each thing lies: a lane for each class that the video has, with a row
// for marks and, only where there are any, thin rows for detections, watched spans and truth.
import { classIndex, isSettled, marksHere, state, visibleDetections } from "./state.js";

const HEIGHTS = { marks: 18, found: 9, other: 7, truth: 6, watched: 5 };
const ROWS = ["marks", "found", "other", "truth", "watched"];
const GAP = 4; // between lanes
export const WATCHED_LANE = "\0watched"; // no class can have this name

let kept = null; // the lanes, until something changes
export const forgetLanes = () => { kept = null; };
export const lanesOf = () => (kept ??= layLanes());

function layLanes() {
  const lanes = new Map();
  const rowOf = (label, row) => {
    if (!lanes.has(label)) lanes.set(label, { label, rows: new Map() });
    const { rows } = lanes.get(label);
    if (!rows.has(row)) rows.set(row, { row, items: [] });
    return rows.get(row).items;
  };
  const own = marksHere();
  for (const mark of own) {
    if (mark.kind === "watched") rowOf(mark.label ?? WATCHED_LANE, mark.label === null ? "marks" : "watched").push(mark);
    else if (mark.kind !== "name") rowOf(mark.label, "marks").push(mark);
    else rowOf(mark.label, "marks");
  }
  for (const one of visibleDetections()) rowOf(one.label, "found").push({ ...one, settled: isSettled(one, own) });
  for (const one of state.other?.[state.video?.id] ?? []) if (one.score >= state.sure) rowOf(one.label, "other").push(one);
  for (const one of state.video?.truth ?? []) rowOf(one.label, "truth").push(one);
  for (const [label] of state.growing) rowOf(label, "marks");
  const order = (label) => (label === WATCHED_LANE ? Infinity : classIndex(label));
  const sorted = [...lanes.values()].sort((a, b) => order(a.label) - order(b.label));
  let top = 0;
  for (const lane of sorted) {
    lane.top = top;
    if (!lane.rows.has("marks") && lane.label !== WATCHED_LANE) lane.rows.set("marks", { row: "marks", items: [] });
    for (const name of ROWS) {
      const row = lane.rows.get(name);
      if (!row) continue;
      row.items.sort((a, b) => a.start_s - b.start_s);
      Object.assign(row, { top, height: lane.label === WATCHED_LANE ? 10 : HEIGHTS[name] });
      top += row.height + 1;
    }
    lane.bottom = top;
    top += GAP;
  }
  return { lanes: sorted, height: Math.max(1, top) };
}

// What lies at a point of the lanes: the edge or the body of a mark or a detection. The
// chosen one comes first, then points, then the shortest.
export function hit(x, y, xOf, reach) {
  const { lanes } = lanesOf();
  const lane = lanes.find((one) => y >= one.top - 2 && y < one.bottom + 2);
  if (!lane) return null;
  const rows = [...lane.rows.values()].filter((row) => row.row !== "other" && row.row !== "truth");
  const row = rows.find((one) => y >= one.top - 1 && y <= one.top + one.height) ?? rows[0];
  const found = [];
  for (const item of row.items) {
    const a = xOf(item.start_s), b = item.end_s === null || item.end_s === undefined ? a : xOf(item.end_s);
    if (x < a - reach || x > b + reach) continue;
    const isChosen = item.id === state.chosen, isPoint = a === b && item.kind === "point";
    const near = Math.min(reach, isChosen ? reach : Math.max(2, (b - a) / 3));
    let part = x > a && x < b ? "whole" : null;
    if (isPoint) part = "whole";
    else if (Math.abs(x - a) <= near && Math.abs(x - a) <= Math.abs(x - b)) part = "start";
    else if (Math.abs(x - b) <= near) part = "end";
    if (part) found.push({ item, part, rank: (isChosen ? 0 : 1e9) + (isPoint ? 0 : b - a) + (part === "whole" ? 0.5 : 0) });
  }
  found.sort((a, b) => a.rank - b.rank);
  return found[0] ?? { lane: lane.label };
}
