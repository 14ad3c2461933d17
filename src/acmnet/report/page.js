"use strict";
// Draws what Python computed. Text of the run enters the page as text nodes only.
(() => {
  const $ = (id) => document.getElementById(id);
  const contents = JSON.parse($("contents").textContent);
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];
  const CURVES = ["attention", "activation", "cas"];
  const ATTENTION = { instance: "#009e73", context: "#e69f00", background: "#999999" };
  const PAGE = 200; // rows shown at once
  const colourOf = (label) => COLOURS[Math.max(0, contents.class_names.indexOf(label)) % COLOURS.length];
  const make = (tag, text, attributes = {}) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    return node;
  };
  const seconds = (value) => value.toFixed(2);
  const percent = (value) => (100 * value).toFixed(1);
  const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

  const state = { video: -1, details: null, now: 0, from: 0, to: 1, score: -Infinity, bars: [], reviewed: [], chosen: null, hidden: new Set(), until: null };
  const player = $("player");
  let hasPlayer = false;
  let playing = null; // the clock of a video without pictures
  let url = null;

  // ---- tables

  // Columns: [title, value for sorting, cell]. Rows are made for what is shown alone.
  function table(node, columns, rows, { more, chosen, first = -1 } = {}) {
    let sorted = first, falling = first > 0, kept = rows, shown = PAGE;
    const head = make("tr");
    columns.forEach(([title], i) => {
      const button = make("button", title, { type: "button" });
      const cell = make("th", null, { scope: "col" });
      button.addEventListener("click", () => {
        falling = sorted === i ? !falling : i > 0;
        sorted = i;
        draw();
      });
      cell.append(button);
      head.append(cell);
    });
    node.tHead.replaceChildren(head);
    if (more) more.addEventListener("click", () => { shown += PAGE; draw(); });
    function draw() {
      if (sorted >= 0) {
        const value = columns[sorted][1], sign = falling ? -1 : 1;
        kept = [...kept].sort((a, b) => {
          const x = value(a), y = value(b);
          return sign * (typeof x === "string" ? x.localeCompare(y) : (x ?? -Infinity) - (y ?? -Infinity));
        });
      }
      [...head.children].forEach((cell, i) => cell.setAttribute("aria-sort", i !== sorted ? "none" : falling ? "descending" : "ascending"));
      node.tBodies[0].replaceChildren(...kept.slice(0, shown).map((row) => {
        const line = make("tr");
        columns.forEach(([, , cell]) => { const td = make("td"); td.append(cell(row)); line.append(td); });
        if (chosen && chosen(row)) line.className = "chosen";
        return line;
      }));
      if (more) more.hidden = kept.length <= shown;
    }
    return { show(some) { kept = some; shown = PAGE; draw(); }, draw };
  }
  const text = (value) => document.createTextNode(value);
  const long = (value) => make("span", value, { class: "long", title: value });
  function link(label, act) {
    const button = make("button", null, { type: "button" });
    button.append(long(label));
    button.addEventListener("click", act);
    return button;
  }

  const videos = contents.videos.map((video, index) => ({ ...video, index, key: [video.id, ...video.labels].join("\n").toLowerCase() }));
  const videoTable = table($("videos"), [
    ["video", (v) => v.id, (v) => link(v.id, () => { choose(v.index); $("viewer").scrollIntoView(); })],
    ["labels", (v) => v.labels.join(", "), (v) => long(v.labels.join(", "))],
    ["seconds", (v) => v.duration_s, (v) => text(v.duration_s.toFixed(1))],
    ["true", (v) => v.instances, (v) => text(v.instances)],
    ["found", (v) => v.detections, (v) => text(v.detections)],
    ["best", (v) => v.best, (v) => text(v.best === null ? "" : v.best.toFixed(3))],
  ], videos, { more: $("more-videos"), chosen: (v) => v.index === state.video });
  $("video-filter").addEventListener("input", filterVideos);
  function filterVideos() {
    const wanted = $("video-filter").value.toLowerCase();
    videoTable.show(videos.filter((v) => v.key.includes(wanted)));
  }

  const all = contents.detections; // rows of [video index, class index, start, end, score]
  const detectionTable = table($("detections"), [
    ["video", (d) => contents.videos[d[0]].id, (d) => long(contents.videos[d[0]].id)],
    ["action", (d) => contents.class_names[d[1]], (d) => link(contents.class_names[d[1]], () => follow(d))],
    ["from (s)", (d) => d[2], (d) => text(seconds(d[2]))],
    ["to (s)", (d) => d[3], (d) => text(seconds(d[3]))],
    ["score", (d) => d[4], (d) => text(d[4].toFixed(3))],
  ], all, { more: $("more-detections"), first: 4 });
  $("detection-filter").addEventListener("input", filterDetections);
  $("this-video").addEventListener("change", filterDetections);
  const range = all.reduce(([low, high], d) => [Math.min(low, d[4]), Math.max(high, d[4])], [Infinity, -Infinity]);
  function filterDetections() {
    const wanted = $("detection-filter").value.toLowerCase(), only = $("this-video").checked;
    const classes = contents.class_names.map((name) => name.toLowerCase().includes(wanted));
    const ids = contents.videos.map((video) => video.id.toLowerCase().includes(wanted));
    const kept = all.filter((d) => d[4] >= state.score && (!only || d[0] === state.video) && (classes[d[1]] || ids[d[0]]));
    $("found-count").textContent = `${kept.length} of ${counted(all.length, "detection")}`;
    detectionTable.show(kept);
  }
  function follow(d) {
    choose(d[0]);
    $("viewer").scrollIntoView();
    const bar = state.bars.find((b) => b.kind === "detection" && b.label === contents.class_names[d[1]] && b.start === d[2] && b.end === d[3] && b.score === d[4]);
    if (bar) select(bar, true);
  }

  // ---- summary

  const scores = contents.scores;
  $("warning").textContent = contents.notes.join(" ");
  if (scores) {
    const mean = `average mAP ${percent(scores.average)} %`;
    $("headline").textContent = `${mean} by ${scores.protocol}, ${counted(scores.videos, "video")}, ${counted(scores.instances, "instance")}, ${counted(scores.detections, "detection")}`;
    const head = make("tr"), row = make("tr");
    head.append(make("th", "mAP in %"), ...scores.tiou.map((t) => make("th", String(t), { scope: "col" })), make("th", "average", { scope: "col" }));
    row.append(make("th", "all classes", { scope: "row" }), ...[...scores.map, scores.average].map((x) => make("td", percent(x))));
    $("scores").append(head, row);
    $("rules").textContent = contents.rules;
    const classes = Object.entries(scores.per_class);
    table($("classes"), [
      ["AP in %", (c) => c[0], (c) => long(c[0])],
      ...scores.tiou.map((t, i) => [String(t), (c) => c[1][i], (c) => text(percent(c[1][i]))]),
      ["average", (c) => c[1].reduce((a, b) => a + b, 0), (c) => text(percent(c[1].reduce((a, b) => a + b, 0) / c[1].length))],
    ], classes, { first: scores.tiou.length + 1 }).draw();
    for (const note of [...scores.notes, ...Object.entries(scores.dropped).map(([why, n]) => `dropped ${counted(n, "detection")}: ${why}`)]) $("notes").append(make("li", note));
    if (scores.ground_truth_sha256) contents.facts["ground truth SHA-256"] = scores.ground_truth_sha256;
  } else {
    $("headline").textContent = `${counted(contents.videos.length, "video")}, ${counted(all.length, "detection")}; no true segments are known`;
  }
  for (const [name, value] of Object.entries(contents.facts)) $("facts").append(make("dt", name), make("dd", value));

  // ---- one video

  function choose(index) {
    if (index === state.video || !contents.videos[index]) return;
    pause();
    const details = JSON.parse($(`video-${index}`).textContent);
    Object.assign(state, { video: index, details, now: 0, from: 0, to: details.duration_s, chosen: null, until: null });
    state.hidden.clear();
    for (const curve of details.curves) curve.levels = Uint8Array.from(atob(curve.values), (c) => c.charCodeAt(0));
    const video = contents.videos[index];
    $("video-name").textContent = video.id;
    const left = details.left_out ? `, the ${details.left_out} least sure are not shown` : "";
    $("video-facts").textContent = `${seconds(details.duration_s)} s; labels: ${video.labels.join(", ") || "none"}; ${video.instances} true, ${video.detections} found${left}`;
    openMedia(index, video);
    $("poster").hidden = !details.poster;
    if (details.poster) { $("poster").src = details.poster; $("poster").alt = `${details.poster_frames} frames of ${video.id}`; }
    layLanes();
    layReview();
    videoTable.draw();
    if ($("this-video").checked) filterDetections();
    draw();
  }

  function openMedia(index, video) {
    if (url) URL.revokeObjectURL(url);
    url = null;
    hasPlayer = Boolean(video.media);
    player.hidden = !hasPlayer;
    $("no-player").hidden = hasPlayer;
    if (!hasPlayer) {
      player.removeAttribute("src");
      player.load();
      $("no-player").textContent = "No video file that a browser plays; the timeline works without.";
      return;
    }
    if (video.media.url === null) {
      const bytes = Uint8Array.from(atob($(`media-${index}`).textContent), (c) => c.charCodeAt(0));
      url = URL.createObjectURL(new Blob([bytes], { type: video.media.type }));
    }
    player.src = url ?? video.media.url;
    player.onerror = () => {
      hasPlayer = false;
      player.hidden = true;
      $("no-player").hidden = false;
      $("no-player").textContent = `The browser cannot play ${video.media.url ?? video.id}: it was moved, or has a codec that the browser lacks.`;
    };
  }

  function lane(name, kind, parent = $("lanes")) {
    const row = make("div", null, { class: `lane ${kind}` });
    const track = make("div", null, { class: "track" });
    row.append(make("div", name, { class: "name", title: name }), track);
    parent.append(row);
    return track;
  }

  function bar(track, kind, label, start, end, score, bars = state.bars) {
    const node = make(kind === "detection" ? "button" : "div", null, { class: "bar", "data-kind": kind, "data-label": label, "data-start": start, "data-end": end });
    const told = `${label}, ${seconds(start)} to ${seconds(end)} s` + (score === undefined ? "" : `, score ${score.toFixed(3)}`);
    node.title = `${kind === "run" ? "proposal" : kind}: ${told}`;
    if (kind !== "truth") node.style.background = colourOf(label);
    node.setAttribute("aria-label", kind === "detection" ? told : node.title);
    const made = { kind, label, start, end, score, node, told };
    if (kind !== "detection") node.setAttribute("role", "img");
    else {
      node.type = "button";
      node.dataset.score = score;
      node.style.opacity = 0.25 + 0.75 * ((score - range[0]) / (range[1] - range[0] || 1));
      node.addEventListener("click", (event) => { event.stopPropagation(); select(made, true); });
    }
    track.append(node);
    bars.push(made);
  }

  function layLanes() {
    const { details } = state;
    $("lanes").replaceChildren();
    state.bars = [];
    const tracks = new Map();
    const trackOf = (name, kind, label) => {
      const key = `${kind} ${label}`;
      if (!tracks.has(key)) tracks.set(key, lane(name, kind));
      return tracks.get(key);
    };
    for (const [label, start, end] of details.truth) bar(trackOf(`true: ${label}`, "truth", label), "truth", label, start, end);
    for (const [label] of details.detections) trackOf(label, "found", label);
    // the surest last, on top
    for (const [label, start, end, score] of [...details.detections].reverse()) bar(trackOf(label, "found", label), "detection", label, start, end, score);
    const threshold = Number($("threshold").value);
    for (const [at, label, start, end] of details.runs) if (at === threshold) bar(trackOf(`≥ ${at}: ${label}`, "runs", label), "run", label, start, end);
    for (const track of tracks.values()) track.addEventListener("click", seekTo);
    CURVES.forEach(legend);
  }

  function legend(kind) {
    const prefix = `${kind}: `;
    $(`${kind}-legend`).replaceChildren(...state.details.curves.filter((c) => c.name.startsWith(prefix)).map((curve) => {
      const name = curve.name.slice(prefix.length);
      const label = make("label", null, { class: "legend", title: curve.name });
      const box = make("input", null, { type: "checkbox", "aria-label": curve.name });
      box.checked = true;
      box.addEventListener("change", () => { state.hidden[box.checked ? "delete" : "add"](curve.name); draw(); });
      box.style.accentColor = curveColour(curve.name);
      const chip = make("span", null, { class: "chip" });
      chip.style.background = curveColour(curve.name);
      label.append(box, chip, text(name));
      return label;
    }));
  }
  function curveColour(name) {
    const [kind, ...rest] = name.split(": "), of = rest.join(": ");
    return kind === "attention" ? ATTENTION[of] : colourOf(of);
  }

  // ---- drawing

  let waiting = false;
  function draw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; drawNow(); });
  }

  function drawNow() {
    if (!state.details) return;
    const { from, to } = state, width = to - from;
    for (const one of [...state.bars, ...state.reviewed]) {
      const outside = one.end <= from || one.start >= to;
      const hidden = outside || (one.kind === "detection" && one.score < state.score);
      one.node.hidden = hidden;
      if (hidden) continue;
      one.node.style.left = `${(100 * (one.start - from)) / width}%`;
      one.node.style.width = `${(100 * (one.end - one.start)) / width}%`;
      one.node.classList.toggle("now", one === state.chosen);
    }
    $("poster").style.width = `${(100 * state.details.duration_s) / width}%`;
    $("poster").style.marginLeft = `${(-100 * from) / width}%`;
    CURVES.forEach(drawCurves);
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

  // At the screen's resolution: a column of many snippets is a line from their lowest
  // to their highest, so that nothing narrow is lost.
  function drawCurves(kind) {
    const canvas = $(kind), ratio = window.devicePixelRatio || 1;
    const w = Math.round(canvas.clientWidth * ratio), h = Math.round(canvas.clientHeight * ratio);
    if (canvas.width !== w || canvas.height !== h) { canvas.width = w; canvas.height = h; }
    const pen = canvas.getContext("2d"), { from, to, details } = state;
    pen.clearRect(0, 0, w, h);
    pen.lineWidth = 1.5 * ratio;
    const perPixel = (to - from) / w / details.step_s; // snippets
    const y = (level) => (1 - level / 255) * (h - 2 * ratio) + ratio;
    for (const curve of details.curves) {
      if (!curve.name.startsWith(`${kind}: `) || state.hidden.has(curve.name)) continue;
      const levels = curve.levels, at = (i) => ((details.first_s + i * details.step_s - from) / (to - from)) * w;
      pen.strokeStyle = curveColour(curve.name);
      pen.beginPath();
      if (perPixel <= 1) {
        const low = Math.max(0, Math.floor((from - details.first_s) / details.step_s) - 1);
        const high = Math.min(levels.length, Math.ceil((to - details.first_s) / details.step_s) + 2);
        for (let i = low; i < high; i++) pen.lineTo(at(i), y(levels[i]));
      } else {
        for (let x = 0; x < w; x++) {
          const first = (from + (x * (to - from)) / w - details.first_s) / details.step_s;
          const low = Math.max(0, Math.floor(first)), high = Math.min(levels.length, Math.ceil(first + perPixel));
          let least = 255, most = 0;
          for (let i = low; i < high; i++) { if (levels[i] < least) least = levels[i]; if (levels[i] > most) most = levels[i]; }
          if (low < high) { pen.lineTo(x, y(least)); pen.lineTo(x, y(most)); }
        }
      }
      pen.stroke();
    }
  }

  function drawAxis() {
    const { from, to } = state, wanted = Math.max(2, Math.floor($("axis").clientWidth / 90));
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

  // ---- time

  function seek(time) {
    state.now = Math.min(Math.max(0, time), state.details.duration_s);
    if (hasPlayer) player.currentTime = state.now;
    if (state.now < state.from || state.now > state.to) centre(state.now);
    draw();
  }
  function seekTo(event) {
    const box = event.currentTarget.getBoundingClientRect();
    state.until = null;
    seek(state.from + ((event.clientX - box.left) / box.width) * (state.to - state.from));
  }
  function zoom(factor) {
    const whole = state.details.duration_s, width = Math.min(whole, Math.max(0.5, (state.to - state.from) * factor));
    const anchor = Math.min(Math.max(state.now, state.from), state.to), share = (anchor - state.from) / (state.to - state.from);
    window_(anchor - share * width, width);
  }
  function centre(time) { window_(time - (state.to - state.from) / 2, state.to - state.from); }
  function window_(from, width) {
    state.from = Math.min(Math.max(0, from), state.details.duration_s - width);
    state.to = state.from + width;
    draw();
  }

  function play() {
    // refused where another video is chosen meanwhile, or this one cannot be played:
    // then the player itself tells pause or error
    if (hasPlayer) { player.play().catch(() => {}); return; }
    const began = performance.now() - 1000 * state.now;
    playing = setInterval(() => {
      state.now = (performance.now() - began) / 1000;
      moved();
      if (state.now >= state.details.duration_s) pause();
    }, 40);
    $("play").textContent = "Pause";
  }
  function pause() {
    clearInterval(playing);
    playing = null;
    if (!player.paused) player.pause();
    $("play").textContent = "Play";
  }
  const isPlaying = () => playing !== null || (hasPlayer && !player.paused);
  function moved() {
    if (state.until !== null && state.now >= state.until) { state.until = null; pause(); }
    if (state.now > state.to || state.now < state.from) centre(state.now); else drawPlayhead();
  }
  player.addEventListener("play", () => { $("play").textContent = "Pause"; follow_(); });
  player.addEventListener("pause", () => { $("play").textContent = "Play"; });
  player.addEventListener("seeked", () => { state.now = player.currentTime; moved(); });
  function follow_() {
    if (!hasPlayer || player.paused) return;
    state.now = player.currentTime;
    moved();
    requestAnimationFrame(follow_);
  }

  // ---- detections of the video

  function select(one, andPlay) {
    state.chosen = one;
    seek(one.start);
    state.until = one.end;
    $("chosen").textContent = one.told;
    fillReview(one);
    if (andPlay && !isPlaying()) play();
    draw();
  }
  function step(direction) {
    const shown = state.bars.filter((b) => b.kind === "detection" && b.score >= state.score).sort((a, b) => a.start - b.start || a.end - b.end);
    if (!shown.length) return;
    const here = shown.indexOf(state.chosen);
    let next = here + direction;
    if (here < 0) next = direction > 0 ? shown.findIndex((b) => b.start >= state.now) : shown.findLastIndex((b) => b.start < state.now);
    select(shown[(next + shown.length) % shown.length], false);
    state.chosen.node.focus({ preventScroll: true });
  }

  const slider = $("score");
  if (all.length) { slider.min = range[0]; slider.max = range[1]; slider.value = range[0]; } else slider.disabled = true;
  function scoreMoved() {
    // the slider's own rounding must not hide the least sure one
    state.score = Number(slider.value) <= range[0] + 1e-12 ? -Infinity : Number(slider.value);
    const shown = all.length ? Number(slider.value).toFixed(3) : "";
    $("score-value").textContent = shown;
    slider.setAttribute("aria-valuetext", shown);
    filterDetections();
    draw();
  }
  slider.addEventListener("input", scoreMoved);
  $("threshold").append(make("option", "no threshold", { value: "-1" }), ...contents.thresholds.map((t) => make("option", `activation ≥ ${t}`, { value: t })));
  $("threshold").addEventListener("change", () => { layLanes(); draw(); });
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("play").addEventListener("click", () => { state.until = null; if (isPlaying()) pause(); else play(); });
  $("zoom-in").addEventListener("click", () => zoom(0.5));
  $("zoom-out").addEventListener("click", () => zoom(2));
  for (const kind of CURVES) $(kind).parentElement.addEventListener("click", seekTo);
  $("timeline").addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    zoom(event.deltaY > 0 ? 1.25 : 0.8);
  }, { passive: false });
  window.addEventListener("resize", draw);

  const KEYS = {
    ArrowLeft: (e) => seek(state.now - (e.shiftKey ? 5 : 1)),
    ArrowRight: (e) => seek(state.now + (e.shiftKey ? 5 : 1)),
    Home: () => seek(0), End: () => seek(state.details.duration_s),
    " ": () => $("play").click(), j: () => step(1), k: () => step(-1),
    "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
    a: () => contents.review && $("accept").click(), x: () => contents.review && $("reject").click(),
  };
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    const types = at.matches("input:not([type=checkbox]), select, textarea");
    const presses = event.key === " " && at.matches("button, input, a, video");
    if (!state.details || types || presses || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
    if (at === player && event.key !== "j" && event.key !== "k") return;
    event.preventDefault();
    KEYS[event.key](event);
  });

  // ---- review, where a server keeps it

  // by names that may be __proto__
  const byName = (values) => Object.assign(Object.create(null), values);
  const review = contents.review ? { revision: 0, videos: byName({}), dirty: false } : null;
  function layReview() {
    if (!review) return;
    $("review").hidden = false;
    const own = review.videos[contents.videos[state.video].id] ?? [];
    $("reviews").replaceChildren(...own.map((one, i) => {
      const item = make("li", `${one.verdict}: ${one.label}, ${seconds(one.start_s)} to ${seconds(one.end_s)} s `);
      const drop = make("button", "Undo", { type: "button" });
      drop.addEventListener("click", () => { own.splice(i, 1); touch(); layReview(); });
      item.append(drop);
      return item;
    }));
    $("review-lanes").replaceChildren();
    state.reviewed = [];
    const tracks = new Map();
    for (const one of own) {
      if (one.verdict === "rejected") continue;
      if (!tracks.has(one.label)) {
        tracks.set(one.label, lane(`reviewed: ${one.label}`, "reviewed", $("review-lanes")));
        tracks.get(one.label).addEventListener("click", seekTo);
      }
      bar(tracks.get(one.label), "reviewed", one.label, one.start_s, one.end_s, undefined, state.reviewed);
    }
    draw();
  }
  function fillReview(one) {
    if (!review) return;
    $("review-label").value = one.label;
    $("review-start").value = seconds(one.start);
    $("review-end").value = seconds(one.end);
  }
  const touch = () => { review.dirty = true; $("review-state").textContent = "not saved yet"; };
  function judge(verdict) {
    const one = state.chosen;
    if (verdict !== "added" && !one) { $("review-state").textContent = "choose a detection first"; return; }
    const id = contents.videos[state.video].id;
    const own = (review.videos[id] ??= []);
    const source = verdict === "added" ? null : [one.label, one.start, one.end, one.score];
    // what was not touched keeps the detection's own digits
    const given = (input, value) => (one && verdict !== "added" && input.value === seconds(value) ? value : Number(input.value));
    const made = { label: $("review-label").value, start_s: given($("review-start"), one?.start ?? 0), end_s: given($("review-end"), one?.end ?? 0), verdict, source };
    const same = own.findIndex((r) => source && r.source && JSON.stringify(r.source) === JSON.stringify(source));
    if (same >= 0) own[same] = made; else own.push(made);
    touch();
    layReview();
  }
  if (review) {
    $("class-names").append(...contents.class_names.map((name) => make("option", null, { value: name })));
    $("accept").addEventListener("click", () => judge("accepted"));
    $("reject").addEventListener("click", () => judge("rejected"));
    $("add").addEventListener("click", () => judge("added"));
    $("review").addEventListener("submit", async (event) => {
      event.preventDefault();
      const answer = await fetch("api/reviews", { method: "POST", headers: { "Content-Type": "application/json", "X-Acmnet-Token": contents.review.token }, body: JSON.stringify({ revision: review.revision, videos: review.videos }) });
      const told = await answer.json();
      if (answer.ok) { review.revision = told.revision; review.dirty = false; }
      $("review-state").textContent = answer.ok ? "saved" : told.error;
    });
    window.addEventListener("beforeunload", (event) => { if (review.dirty) event.preventDefault(); });
    fetch("api/reviews").then((answer) => answer.json()).then((told) => { review.revision = told.revision; review.videos = byName(told.videos); layReview(); });
    let checkpoint;
    const ask = async () => {
      let sentence;
      try {
        const told = await (await fetch("api/state")).json();
        checkpoint ??= told.checkpoint;
        sentence = [told.sentence, told.checkpoint === checkpoint ? "" : "There is a newer checkpoint: save and reload to see it."].filter(Boolean).join(". ");
      } catch {
        sentence = "The server is gone: start acmnet view again and reload.";
      }
      $("live").hidden = !sentence;
      if ($("live").textContent !== sentence) $("live").textContent = sentence;
      setTimeout(ask, 2000);
    };
    ask();
  }

  filterVideos();
  scoreMoved();
  choose(0);
  document.documentElement.dataset.ready = "true";
})();
