// Opens the page: what the server knows, the first video, and what goes on meanwhile.
import { $, counted, make, memory, tell } from "./elements.js";
import { choose } from "./edits.js";
import { repaint, openStrip, relay } from "./timeline.js";
import { layNamesHere, openMarks } from "./chosen.js";
import { onSwitch } from "./keys.js";
import { askLearning, isLearning, onLearned, readRounds } from "./learning.js";
import { drawList, forgetSummaries, onOpen, summaryOf } from "./list.js";
import { forget, layChips } from "./marking.js";
import { onOpenNamed, showNames } from "./names.js";
import { openVideo, pause, seek } from "./player.js";
import { Saving } from "./saving.js";
import { drawSaved } from "./saved.js";
import { post, read } from "./server.js";
import { marks, onChange, state } from "./state.js";

const POLL_MS = 2000;
const POLL_LEARNING_MS = 300; // a round may take seconds
const THEME = "acmnet bench: theme";
const WHO = "acmnet bench: who";
let saving = null;
let revision = 0, detections = null; // what of the server is shown

function show(video) {
  if (!video) return;
  switchTo("watch");
  showDrawer(false);
  if (state.video === video) return;
  pause();
  state.video = video;
  choose(null);
  forget();
  openVideo(video);
  openStrip(video);
  $("video-name").textContent = video.id;
  drawWhy();
  tell("");
  relay();
  layNamesHere();
  openMarks();
  drawList();
  history.replaceState(null, "", `#${encodeURIComponent(video.id)}`);
}
function drawWhy() {
  const { suggested } = summaryOf(state.video);
  $("why").replaceChildren(...(suggested ? [`Suggested: ${suggested.why} `] : []));
  if (suggested) $("why").append(make("button", { type: "button", class: "plain", onclick: () => seek(state.frames.nearest(suggested.start_s)) }, "Go there"));
}

function switchTo(page) {
  if (state.page === page) return;
  pause();
  state.page = page;
  document.body.dataset.page = page;
  $("watch").hidden = page !== "watch";
  $("names").hidden = page !== "names";
  for (const name of ["watch", "names"]) $(`view-${name}`).setAttribute("aria-pressed", name === page);
  tell("");
  showNames(page === "names");
  repaint();
}

function takeClasses(classes) {
  if (JSON.stringify(classes) === JSON.stringify(state.classes)) return;
  state.classes = classes;
  layClasses();
  layNamesHere();
  if (state.page === "names") showNames(true);
  relay();
}

function takeDetections(told) {
  for (const video of state.videos) {
    video.detections = (told.videos[video.id] ?? []).map(asDetection);
    video.suggestion = told.suggestions?.[video.id] ?? null;
  }
  Object.assign(state, { round: told.round });
  detections = told.detections_version;
  setScores(told.shown_from);
  forgetSummaries();
  if (state.video) drawWhy();
  drawList();
  relay();
}
const asDetection = (one) => ({ ...one, kind: "detection" });

function setScores(from) {
  const scores = state.videos.flatMap((video) => video.detections.map((one) => one.score));
  $("sure-field").hidden = !scores.length;
  if (!scores.length) return;
  const low = scores.reduce((a, b) => Math.min(a, b)), high = scores.reduce((a, b) => Math.max(a, b));
  Object.assign($("sure"), { min: low, max: high });
  showFrom(from ?? low);
}
function showFrom(score) {
  const slider = $("sure");
  slider.value = score;
  // the slider's own rounding must not hide the least sure one
  state.sure = score <= Number(slider.min) + 1e-9 ? -Infinity : score;
  $("sure-value").textContent = Number(slider.value).toFixed(2);
  relay();
}

async function poll() {
  try {
    const told = await read(`marks.json?since=${revision}`);
    revision = told.revision;
    const news = saving.receive(told.marks);
    if (news.length) tell(`${counted(news.length, "mark")} by ${[...new Set(news.map((mark) => mark.who))].join(", ")} arrived.`);
    if (told.classes) takeClasses(told.classes);
    drawProblems(told.problems ?? [], told.fault);
    if (told.detections_version !== undefined && told.detections_version !== detections) takeDetections(await read("detections.json"));
    await askLearning();
    if (saving.trouble && !saving.state.waiting) { saving.trouble = ""; drawSaved(saving); }
  } catch (error) {
    saving.trouble = error instanceof TypeError || error.name === "TimeoutError" ? "The server does not answer: start it again, this page goes on." : error.message;
    drawSaved(saving);
  }
  setTimeout(poll, isLearning() ? POLL_LEARNING_MS : POLL_MS);
}

function drawProblems(problems, fault) {
  const sentence = [fault, ...problems.map((one) => one.sentence)].filter(Boolean).join("\n");
  if ($("problems").textContent !== sentence) $("problems").textContent = sentence;
  $("problems").hidden = !sentence;
}

// The buttons of the classes, and the list from which one is removed.
function layClasses() {
  layChips();
  document.body.classList.toggle("no-class", !state.classes.length);
  $("new-class").querySelector("button").classList.toggle("strong", !state.classes.length);
  $("remove-class").hidden = !state.classes.length;
  $("remove-class").replaceChildren(new Option("Remove a class …", ""), ...state.classes.map((one) => new Option(one.name, one.name)));
}

// Resolves to whether the server took the change.
async function changeClasses(change) {
  try {
    const { status, told } = await post("classes", { ...change, who: state.who });
    if (status !== 200) { tell(told.error); return false; }
    takeClasses(told.classes);
    return true;
  } catch {
    tell("The server does not answer: the classes stay as they are.");
    return false;
  }
}
async function addClass(event) {
  event.preventDefault();
  const name = $("class-name").value.trim().normalize("NFC");
  if (!name) { tell("Write the name of the class first."); return; }
  if (!await changeClasses({ name })) return;
  $("class-name").value = "";
  $("class-name").focus(); // for the next one
  const key = state.classes.find((one) => one.name === name)?.key;
  tell(key ? `${name} has the key ${key}.` : `${name} is a class now.`);
}
async function removeClass() {
  const name = $("remove-class").value;
  $("remove-class").value = "";
  if (name && await changeClasses({ name, gone: true })) tell(`${name} is no class any more.`);
}

function showDrawer(isShown) {
  document.body.classList.toggle("drawer", isShown);
  $("open-list").setAttribute("aria-expanded", isShown);
}
function setTheme(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  repaint();
}

async function begin() {
  setTheme(memory.read(THEME));
  const bench = await read("bench.json");
  Object.assign(state, { classes: bench.classes, who: memory.read(WHO) ?? bench.who, round: bench.round, hasRun: bench.run !== null });
  state.videos = bench.videos.map((video) => ({ ...video, detections: (video.detections ?? []).map(asDetection) }));
  [revision, detections] = [bench.revision, bench.detections_version];
  $("title").textContent = bench.title ?? "Label videos";
  $("who").value = state.who;
  marks.take(bench.marks);
  saving = new Saving({ marks, post, where: bench.labels ?? "", who: () => state.who, changed: () => drawSaved(saving) });
  onChange((changed, isOwn) => { if (isOwn) saving.put(changed); });
  onChange((changed) => { if (state.video?.suggestion && changed.some((mark) => mark.video === state.video.id)) drawWhy(); });
  const ids = new Set(state.videos.map((video) => video.id));
  const back = await saving.adopt((mark) => ids.has(mark.video));
  layClasses();
  setScores(bench.shown_from);
  forgetSummaries();
  drawList();
  drawSaved(saving);
  drawProblems(bench.problems ?? []);
  const possible = bench.learn?.possible ?? true;
  $("learn").disabled = !possible;
  $("learn-state").textContent = possible ? "" : bench.learn.why_not ?? "";
  if (bench.notes?.length) $("notes").append(...bench.notes.map((note) => make("p", {}, note)));
  const asked = decodeURIComponent(location.hash.slice(1));
  show(state.videos.find((video) => video.id === asked) ?? state.videos[0]);
  if (matchMedia("(min-width: 761px) and (min-height: 700px)").matches) $("history").open = true;
  if (!state.videos.length) tell("There is no video in this folder.");
  if (back) tell(`${counted(back, "change")} of your last visit, not saved then, ${back === 1 ? "is" : "are"} being saved now.`);
  document.documentElement.dataset.ready = "true";
  await readRounds().catch(() => {});
  setTimeout(poll, POLL_MS);
}

onOpen(show);
onOpenNamed(show);
onSwitch(switchTo);
onLearned(async () => takeDetections(await read("detections.json")));
$("view-watch").addEventListener("click", () => switchTo("watch"));
$("view-names").addEventListener("click", () => switchTo("names"));
$("open-list").addEventListener("click", () => showDrawer(!document.body.classList.contains("drawer")));
$("new-class").addEventListener("submit", addClass);
$("remove-class").addEventListener("change", removeClass);
$("sure").addEventListener("input", () => showFrom(Number($("sure").value)));
$("who").addEventListener("change", () => { state.who = $("who").value.trim() || state.who; memory.write(WHO, state.who); });
for (const name of ["search", "filters"]) $(name).addEventListener(name === "search" ? "input" : "click", () => { if (state.page === "names") showNames(true); });
$("theme").addEventListener("click", () => {
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
  memory.write(THEME, isDark ? "light" : "dark");
  setTheme(isDark ? "light" : "dark");
});
window.addEventListener("beforeunload", (event) => { if (saving && saving.state.waiting && !saving.state.isKept) event.preventDefault(); });
begin().catch((error) => {
  $("trouble").hidden = false;
  $("trouble").textContent = error instanceof TypeError ? "The server does not answer: start it again and reload this page." : error.message;
});
