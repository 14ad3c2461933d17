// What the model sees: curves over time, behind a button, loaded when they are looked at.
const CURVES = ["attention", "activation", "cas"];
const ATTENTION = { instance: ["#009e73", "an action"], context: ["#e69f00", "around one"], background: ["#999999", "neither"] };
const OPEN = "acmnet: what the model sees is open";
const insidesAreOpen = () => !$("insides").hidden;

function openInsides(open) {
  $("insides").hidden = !open;
  $("insides-words").hidden = !open;
  $("show-insides").setAttribute("aria-expanded", open);
  $("show-insides").textContent = open ? "Hide what the model sees" : "Show what the model sees";
  if (open && state.video >= 0 && !state.insides) loadInsides();
  draw();
}

async function loadInsides() {
  const index = state.video;
  $("insides-state").textContent = "";
  try {
    const insides = await insidesOf(index);
    if (index !== state.video) return; // another video was chosen meanwhile
    for (const curve of insides.curves) curve.levels = Uint8Array.from(atob(curve.values), (c) => c.charCodeAt(0));
    state.insides = insides;
    CURVES.forEach(legend);
    layRuns();
    draw();
  } catch (error) {
    if (index === state.video) $("insides-state").textContent = error.message;
  }
}
const insidesOf = (index) => JSON.parse(embedded("insides", index));

function legend(kind) {
  const prefix = `${kind}: `;
  $(`${kind}-legend`).replaceChildren(...state.insides.curves.filter((c) => c.name.startsWith(prefix)).map((curve) => {
    const name = curve.name.slice(prefix.length);
    const label = make("label", null, { class: "legend", title: kind === "attention" ? `${name}: ${ATTENTION[name][1]}` : name });
    const box = make("input", null, { type: "checkbox", "aria-label": curve.name });
    box.checked = true;
    box.addEventListener("change", () => { state.hidden[box.checked ? "delete" : "add"](curve.name); draw(); });
    box.style.accentColor = curveColour(curve.name);
    const chip = make("span", null, { class: "chip" });
    chip.style.background = curveColour(curve.name);
    label.append(box, chip, text(kind === "attention" ? ATTENTION[name][1] : name));
    return label;
  }));
}
function curveColour(name) {
  const [kind, ...rest] = name.split(": "), of = rest.join(": ");
  return kind === "attention" ? ATTENTION[of][0] : colourOf(of);
}

// What is cut out of the activation at one threshold, before anything is scored.
function layRuns() {
  $("run-lanes").replaceChildren();
  state.runs = [];
  const threshold = Number($("threshold").value), own = new Map();
  for (const [at, label, start, end] of state.insides?.runs ?? []) {
    if (at !== threshold) continue;
    if (!own.has(label)) own.set(label, lane(`\u2265 ${at}: ${label}`, "runs", $("run-lanes")));
    bar(own.get(label), "run", label, start, end, state.runs);
  }
}

function drawCurves() {
  if (insidesAreOpen()) CURVES.forEach(drawCurve);
}

// At the screen's resolution: a column of many samples is a line from their lowest
// to their highest, so that nothing narrow is lost.
function drawCurve(kind) {
  const canvas = $(kind), ratio = window.devicePixelRatio || 1;
  const w = Math.round(canvas.clientWidth * ratio), h = Math.round(canvas.clientHeight * ratio);
  if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
  const pen = canvas.getContext("2d"), { from, to, insides } = state;
  pen.clearRect(0, 0, w, h);
  if (!insides) return;
  pen.lineWidth = 1.5 * ratio;
  const perPixel = (to - from) / w / insides.step_s; // samples
  const y = (level) => (1 - level / 255) * (h - 2 * ratio) + ratio;
  for (const curve of insides.curves) {
    if (!curve.name.startsWith(`${kind}: `) || state.hidden.has(curve.name)) continue;
    const levels = curve.levels, at = (i) => ((insides.first_s + i * insides.step_s - from) / (to - from)) * w;
    pen.strokeStyle = curveColour(curve.name);
    pen.beginPath();
    if (perPixel <= 1) {
      const low = Math.max(0, Math.floor((from - insides.first_s) / insides.step_s) - 1);
      const high = Math.min(levels.length, Math.ceil((to - insides.first_s) / insides.step_s) + 2);
      for (let i = low; i < high; i++) pen.lineTo(at(i), y(levels[i]));
    } else {
      for (let x = 0; x < w; x++) {
        const first = (from + (x * (to - from)) / w - insides.first_s) / insides.step_s;
        const low = Math.max(0, Math.floor(first)), high = Math.min(levels.length, Math.ceil(first + perPixel));
        let least = 255, most = 0;
        for (let i = low; i < high; i++) { if (levels[i] < least) least = levels[i]; if (levels[i] > most) most = levels[i]; }
        if (low < high) { pen.lineTo(x, y(least)); pen.lineTo(x, y(most)); }
      }
    }
    pen.stroke();
  }
}

$("threshold").append(make("option", "nothing", { value: "-1" }), ...contents.thresholds.map((t) => make("option", `activation \u2265 ${t}`, { value: t })));
$("threshold").addEventListener("change", () => { layRuns(); draw(); });
for (const kind of CURVES) $(kind).parentElement.addEventListener("click", seekTo);
$("show-insides").addEventListener("click", () => {
  openInsides(!insidesAreOpen());
  memory.write(OPEN, insidesAreOpen());
});
