// Lanes of segments over time. Detections of one class that overlap lie below each other.
const MOST_ROWS = 6; // of a lane; what overlaps more than this shares the last one
const ROW_REM = 1.15;
let tracks = new Map();

function lane(name, kind, parent) {
  const row = make("div", null, { class: `lane ${kind}` });
  const track = make("div", null, { class: "track" });
  row.append(make("div", name, { class: "name", title: name }), track);
  parent.append(row);
  track.addEventListener("click", seekTo);
  return track;
}

function bar(track, kind, label, start, end, bars, row) {
  const isFound = kind === "detection", score = row && row[4];
  const node = make(isFound ? "button" : "div", null, { class: "bar", "data-kind": kind, "data-label": label, "data-start": start, "data-end": end });
  const told = `${label}, ${seconds(start)} to ${seconds(end)} s` + (isFound ? `, score ${score.toFixed(3)}` : "");
  node.title = `${kind === "run" ? "candidate" : kind}: ${told}`;
  if (kind !== "truth") node.style.background = colourOf(label);
  node.setAttribute("aria-label", isFound ? told : node.title);
  const made = { kind, label, start, end, score, row, node, told };
  if (!isFound) node.setAttribute("role", "img");
  else {
    node.type = "button";
    node.dataset.score = score;
    node.style.opacity = 0.35 + 0.65 * ((score - range[0]) / (range[1] - range[0] || 1));
    node.addEventListener("click", (event) => { event.stopPropagation(); select(below(made, event), true); });
  }
  track.append(node);
  bars.push(made);
  return made;
}

// A click where the chosen one lies on others chooses the next of them.
function below(one, event) {
  if (one !== state.chosen || !event.detail) return one;
  const hit = new Set(document.elementsFromPoint(event.clientX, event.clientY));
  const pile = state.bars.filter((b) => b.kind === "detection" && hit.has(b.node)).reverse();
  return pile[(pile.indexOf(one) + 1) % pile.length] ?? one;
}

function layLanes() {
  const video = current();
  $("lanes").replaceChildren();
  state.bars = [];
  tracks = new Map();
  for (const [label, start, end] of video.truth) {
    const key = `truth ${label}`;
    if (!tracks.has(key)) tracks.set(key, { track: lane(`true: ${label}`, "truth", $("lanes")), bars: [] });
    bar(tracks.get(key).track, "truth", label, start, end, state.bars);
  }
  for (const row of rowsOf[state.video]) {
    const key = `found ${row[1]}`;
    if (!tracks.has(key)) tracks.set(key, { track: lane(labelOf(row), "found", $("lanes")), bars: [] });
    tracks.get(key).bars.push(null);
  }
  // the surest last, on top
  for (const row of [...rowsOf[state.video]].reverse()) {
    const own = tracks.get(`found ${row[1]}`);
    own.bars[own.bars.indexOf(null)] = bar(own.track, "detection", labelOf(row), row[2], row[3], state.bars, row);
  }
  stack();
}

// Give each shown detection the first row of its lane that is free, the surest first.
function stack() {
  for (const { track, bars } of tracks.values()) {
    const shown = bars.filter((b) => isShown(b.row)).reverse();
    if (bars.length) track.parentElement.hidden = !shown.length;
    const rows = [];
    for (const one of shown) {
      let at = rows.findIndex((row) => row.every((b) => b.end <= one.start || b.start >= one.end));
      if (at < 0) at = Math.min(rows.length, MOST_ROWS - 1);
      (rows[at] ??= []).push(one);
      one.at = at;
    }
    if (!bars.length) continue;
    track.style.height = rows.length > 1 ? `${rows.length * ROW_REM + 0.2}rem` : "";
    for (const one of shown) {
      one.node.style.top = rows.length > 1 ? `${one.at * ROW_REM + 0.15}rem` : "";
      one.node.style.bottom = rows.length > 1 ? "auto" : "";
      one.node.style.height = rows.length > 1 ? `${ROW_REM - 0.15}rem` : "";
    }
  }
}

let waiting = false;
function draw() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => { waiting = false; drawNow(); });
}

function drawNow() {
  if (state.video < 0) return;
  const { from, to } = state, width = to - from;
  for (const one of [...state.bars, ...state.runs]) {
    const outside = one.end <= from || one.start >= to;
    one.node.hidden = outside || (one.kind === "detection" && !isShown(one.row));
    if (one.node.hidden) continue;
    one.node.style.left = `${(100 * (one.start - from)) / width}%`;
    one.node.style.width = `${(100 * (one.end - one.start)) / width}%`;
    one.node.classList.toggle("now", one === state.chosen);
  }
  $("poster").style.width = `${(100 * current().duration_s) / width}%`;
  $("poster").style.marginLeft = `${(-100 * from) / width}%`;
  drawCurves();
  drawAxis();
  drawPlayhead();
}

function drawPlayhead() {
  const share = (state.now - state.from) / (state.to - state.from);
  const line = $("playhead");
  line.hidden = share < 0 || share > 1;
  line.style.left = `calc(var(--label) + (100% - var(--label)) * ${share})`;
  $("clock").textContent = `${seconds(state.now)} s`;
}

function drawAxis() {
  const { from, to } = state, wanted = Math.max(2, Math.floor($("axis").clientWidth / 55));
  const rough = (to - from) / wanted, unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((n) => n >= rough);
  const ticks = [];
  for (let t = Math.ceil(from / step) * step; t <= to + 1e-9; t += step) {
    const share = (t - from) / (to - from);
    if (share < 0.02 || share > 0.98) continue;
    const tick = make("span", `${Number(t.toFixed(3))} s`);
    tick.style.left = `${100 * share}%`;
    ticks.push(tick);
  }
  $("axis").replaceChildren(...ticks);
}

function zoom(factor) {
  const whole = current().duration_s, width = Math.min(whole, Math.max(0.5, (state.to - state.from) * factor));
  const anchor = Math.min(Math.max(state.now, state.from), state.to), share = (anchor - state.from) / (state.to - state.from);
  look(anchor - share * width, width);
}
function centre(time) { look(time - (state.to - state.from) / 2, state.to - state.from); }
function look(from, width) {
  state.from = Math.min(Math.max(0, from), current().duration_s - width);
  state.to = state.from + width;
  draw();
}

function select(one, andPlay) {
  state.chosen = one;
  seek(one.start);
  state.until = one.end;
  $("chosen").textContent = one.told;
  if (andPlay && !isPlaying()) play();
  draw();
}
function step(direction) {
  const shown = state.bars.filter((b) => b.kind === "detection" && isShown(b.row)).sort((a, b) => a.start - b.start || a.end - b.end);
  if (!shown.length) return;
  const here = shown.indexOf(state.chosen);
  let next = here + direction;
  if (here < 0) next = direction > 0 ? shown.findIndex((b) => b.start >= state.now) : shown.findLastIndex((b) => b.start < state.now);
  select(shown[(next + shown.length) % shown.length], false);
  state.chosen.node.hidden = false;
  state.chosen.node.focus({ preventScroll: true });
}

$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("zoom-in").addEventListener("click", () => zoom(0.5));
$("zoom-out").addEventListener("click", () => zoom(2));
$("timeline").addEventListener("wheel", (event) => {
  if (!event.ctrlKey) return;
  event.preventDefault();
  zoom(event.deltaY > 0 ? 1.25 : 0.8);
}, { passive: false });
window.addEventListener("resize", draw);
