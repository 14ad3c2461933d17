// The video: playing, frame by frame, and which frame is on the screen.
import { $, clockText } from "./elements.js";
import { chosenItem, draw, look, onDraw, showTime, state } from "./state.js";
import { Frames } from "./frames.js";

export const RATES = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8];
const FIRST_FRAME_MS = 400; // how long to wait for the first frame, to learn where its clock begins
const UNKNOWN_S = 1; // length of a video until its frames are counted
const SHARES = [0.5, 0.9, 0.1, 0.99, 0.01]; // where inside of a frame a seek goes, in turn
const TICK_MS = 40; // of a video that the browser cannot play

const player = $("player");
let hasPictures = false;
let aim = null; // {index, tries}: the frame that a seek is to show
let shown = null; // the browser's time of the frame on the screen
let first = null; // the browser's time of the first frame
let isMeasured = false; // whether offset is known
let isSeeking = false, wanted = null; // seconds: the last seek that was asked for meanwhile
let ticking = null;
let loop = false;
let opening = 0;

// Seconds that extraction's clock is ahead of the browser's.
const offset = () => (first === null || !state.frames.times ? 0 : state.frames.times[0] - first);

export const isPlaying = () => (hasPictures ? !player.paused && !player.ended : ticking !== null);
export const rate = () => Number($("rate").value);

export function openVideo(video) {
  pause();
  const mine = ++opening;
  video.duration_s ??= UNKNOWN_S;
  Object.assign(state, { frames: new Frames(null, video.duration_s), now: 0, from: 0, to: video.duration_s });
  hasPictures = Boolean(video.url);
  isMeasured = isSeeking = false;
  [first, wanted, aim, shown] = [null, null, null, null];
  player.hidden = !hasPictures;
  $("no-player").hidden = hasPictures;
  $("no-player").textContent = video.frame_url ? "" : "There is no file to play for this video; the timeline works without.";
  $("still").hidden = true;
  if (hasPictures) player.src = video.url;
  else player.removeAttribute("src");
  player.playbackRate = rate();
  if (video.frame_times_url) readFrames(video, mine);
}

async function readFrames(video, mine) {
  try {
    const answer = await fetch(video.frame_times_url);
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.error);
    if (mine !== opening) return;
    const isWhole = state.from <= 0 && state.to >= video.duration_s;
    video.duration_s = told.end_s ?? video.duration_s;
    state.frames = new Frames(told.times_s, video.duration_s);
    if (isWhole || state.to > video.duration_s) look(0, video.duration_s);
    if (!hasPictures) showStill(state.now);
    state.now = state.frames.nearest(state.now);
    draw();
  } catch (error) {
    if (mine === opening) $("clock").title = `The exact times of the frames are not known: ${error.message}`;
  }
}

// The first frame that is shown, before any seek, tells where the browser's clock begins.
player.addEventListener("loadeddata", () => {
  const mine = opening;
  const measured = (time) => {
    if (mine !== opening || isMeasured) return;
    isMeasured = true;
    first = time;
    player.playbackRate = rate();
    if (wanted !== null) showWanted();
  };
  if (player.requestVideoFrameCallback) player.requestVideoFrameCallback((_, shown) => measured(shown.mediaTime));
  setTimeout(() => measured(null), FIRST_FRAME_MS);
  follow();
});
player.addEventListener("error", () => {
  if (!player.getAttribute("src")) return;
  hasPictures = false;
  player.hidden = true;
  $("no-player").hidden = false;
  $("no-player").textContent = state.video.frame_url ? "" : "The browser cannot play this file: it was moved, or has a format that the browser does not know. The timeline works without.";
  showStill(state.now);
});

// While it plays, the time on the page is that of the frame on the screen.
function follow() {
  const mine = opening;
  const onScreen = (time) => {
    if (mine !== opening) return;
    shown = time;
    if (isPlaying()) passed(time + offset());
    next();
  };
  const next = () => {
    if (player.requestVideoFrameCallback) player.requestVideoFrameCallback((_, frame) => onScreen(frame.mediaTime));
    else requestAnimationFrame(() => onScreen(player.currentTime));
  };
  next();
}

function passed(time) {
  const { frames } = state;
  state.now = Math.min(frames.times ? frames.time(frames.at(time)) : time, state.video.duration_s);
  const around = loop ? loopSpan() : null;
  if (around && (state.now >= around[1] - frames.shortest / 2 || state.now < around[0] - frames.shortest)) seek(around[0]);
  if (state.now > state.to || state.now < state.from) look(state.now - 0.05 * (state.to - state.from), state.to - state.from);
  draw();
}

function loopSpan() {
  const item = chosenItem();
  return item && item.end_s ? [item.start_s, item.end_s] : [state.from, state.to];
}
export function toggleLoop() {
  loop = !loop;
  $("loop").setAttribute("aria-pressed", loop);
  if (loop) { seek(loopSpan()[0]); play(); }
}

export function play() {
  if (isPlaying()) return;
  const ended = state.now >= state.video.duration_s - state.frames.shortest;
  if (loop ? state.now >= loopSpan()[1] : ended) seek(loop ? loopSpan()[0] : 0);
  // refused where another video is chosen meanwhile: then nothing is to be said
  if (hasPictures) { still.hidden = true; player.play().catch(() => {}); return; }
  let before = performance.now();
  ticking = setInterval(() => {
    const now = performance.now(), time = state.now + (rate() * (now - before)) / 1000;
    before = now;
    passed(time);
    if (time >= state.video.duration_s) pause();
  }, TICK_MS);
  drawPlay();
}
export function pause() {
  if (hasPictures) player.pause();
  clearInterval(ticking);
  ticking = null;
  drawPlay();
}
export const toggle = () => (isPlaying() ? pause() : play());
const drawPlay = () => { $("play").textContent = isPlaying() ? "Pause" : "Play"; };
for (const name of ["play", "pause", "ended", "emptied"]) player.addEventListener(name, drawPlay);
player.addEventListener("ended", () => { if (loop) { seek(loopSpan()[0]); play(); } else { state.now = state.video.duration_s; draw(); } });

// Go to a time: the frame that is on at it is shown.
export function seek(time) {
  state.now = Math.min(Math.max(0, time), state.video.duration_s);
  showTime(state.now);
  showPicture(state.now);
  draw();
}
// Show the frame of a time without moving there, such as that at an edge which is dragged.
export function showPicture(time) {
  if (!hasPictures) { showStill(time); return; }
  wanted = time;
  if (isMeasured && !isSeeking) showWanted();
}
function showWanted() {
  aim = { index: state.frames.at(Math.min(wanted, state.video.duration_s)), tries: 0 };
  wanted = null;
  still.hidden = true;
  seekInside();
}
function seekInside() {
  isSeeking = true;
  player.currentTime = Math.max(0, state.frames.inside(aim.index, SHARES[aim.tries]) - offset());
}
player.addEventListener("seeked", () => {
  if (wanted !== null) { showWanted(); return; }
  isSeeking = false;
  const mine = aim;
  // the frame itself comes to the screen a moment after the seek
  requestAnimationFrame(() => requestAnimationFrame(() => { if (mine === aim && wanted === null) checkShown(); }));
});
// Browsers guess how long a frame lasts, which fails where frames are of unequal length:
// then the frame before or after is shown, and another time inside of the frame is tried.
function checkShown() {
  if (!aim || shown === null || !state.frames.times || isPlaying() || isSeeking) return;
  if (state.frames.at(shown + offset()) === aim.index) return;
  if (++aim.tries < SHARES.length) seekInside(); else showStill(state.frames.time(aim.index));
}

// The server decodes single frames of a file that the browser does not play. One is asked
// for at a time, and the last that was wanted comes next.
const still = $("still");
let isLoading = false, next = null;
function showStill(time) {
  if (!state.video.frame_url || !state.frames.times) return;
  next = state.video.frame_url.replace(/\.jpg$/, "") + `${state.frames.at(time)}.jpg`;
  loadStill();
}
function loadStill() {
  if (isLoading || next === null) return;
  isLoading = true;
  still.src = next;
  next = null;
}
for (const name of ["load", "error"]) {
  still.addEventListener(name, () => {
    isLoading = false;
    still.hidden = name === "error" || isPlaying() || isSeeking;
    loadStill();
  });
}

export function stepFrames(n) {
  pause();
  seek(state.frames.step(state.now, n));
}
export const jump = (seconds) => seek(state.frames.nearest(state.now + seconds));

export function changeRate(direction) {
  const i = RATES.indexOf(rate()) + direction;
  if (RATES[i]) setRate(RATES[i]);
}
function setRate(value) {
  $("rate").value = value;
  player.playbackRate = value;
}

$("rate").append(...RATES.map((value) => new Option(`${value} ×`, value, value === 1, value === 1)));
$("rate").addEventListener("change", () => setRate(rate()));
$("play").addEventListener("click", toggle);
$("back").addEventListener("click", () => stepFrames(-1));
$("on").addEventListener("click", () => stepFrames(1));
$("loop").addEventListener("click", toggleLoop);
player.addEventListener("click", toggle);
player.muted = true;
$("sound").addEventListener("change", () => { player.muted = !$("sound").checked; });
onDraw(() => {
  const frame = state.frames.times ? ` · frame ${state.frames.at(state.now) + 1}` : "";
  $("clock").textContent = clockText(state.now) + frame;
});
