// The video, its strip of frames, and the time.
const player = $("player");
let hasPlayer = false;
let playing = null; // the clock of a video without pictures
let url = null;
const bytesOf = (base64, type) => new Blob([Uint8Array.from(atob(base64), (c) => c.charCodeAt(0))], { type });

function openMedia(video) {
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
  if (video.media.url === null) url = URL.createObjectURL(bytesOf(embedded("media", video.index), video.media.type));
  player.src = url ?? video.media.url;
  player.onerror = () => {
    hasPlayer = false;
    player.hidden = true;
    $("no-player").hidden = false;
    $("no-player").textContent = `The browser cannot play ${video.media.url ?? video.id}: it was moved, or has a codec that the browser lacks.`;
  };
}

function openPoster(video) {
  const strip = $("poster");
  strip.hidden = !video.poster;
  strip.onerror = () => { strip.hidden = true; };
  if (!video.poster) { strip.removeAttribute("src"); return; }
  strip.src = `data:image/jpeg;base64,${embedded("poster", video.index)}`;
  strip.alt = `${video.poster_frames} frames of ${video.id}`;
}

function seek(time) {
  state.now = Math.min(Math.max(0, time), current().duration_s);
  if (hasPlayer) player.currentTime = state.now;
  if (state.now < state.from || state.now > state.to) centre(state.now);
  draw();
  addressMoved(false);
}
function seekTo(event) {
  const box = event.currentTarget.getBoundingClientRect();
  state.until = null;
  seek(state.from + ((event.clientX - box.left) / box.width) * (state.to - state.from));
}

function play() {
  // refused where another video is chosen meanwhile, or this one cannot be played:
  // then the player itself tells pause or error
  if (hasPlayer) { player.play().catch(() => {}); return; }
  const began = performance.now() - 1000 * state.now;
  playing = setInterval(() => {
    state.now = (performance.now() - began) / 1000;
    moved();
    if (state.now >= current().duration_s) pause();
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
  addressMoved(false);
}
function followPlayer() {
  if (!hasPlayer || player.paused) return;
  state.now = player.currentTime;
  moved();
  requestAnimationFrame(followPlayer);
}
player.addEventListener("play", () => { $("play").textContent = "Pause"; followPlayer(); });
player.addEventListener("pause", () => { $("play").textContent = "Play"; });
player.addEventListener("seeked", () => { state.now = player.currentTime; moved(); });
$("play").addEventListener("click", () => { state.until = null; if (isPlaying()) pause(); else play(); });
