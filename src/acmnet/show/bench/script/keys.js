// Every key of the page. The sheet of keys is made from this table.
import { $, make, tell } from "./elements.js";
import * as edits from "./edits.js";
import * as list from "./list.js";
import { learn, toggleCompare } from "./learning.js";
import { forget, press, release, toggleTapTwice } from "./marking.js";
import * as names from "./names.js";
import * as player from "./player.js";
import { stepMark } from "./chosen.js";
import { chosenItem, draw, look, state, zoom } from "./state.js";

let isRelabelling = false; // the next class key gives the chosen mark its class
let switchView = () => {};
export const onSwitch = (act) => { switchView = act; };

const isNames = () => state.page === "names";
function across(n, event) {
  if (isNames()) { names.moveCard(n, 0); return; }
  const frames = n * (event.shiftKey ? 10 : 1);
  if (player.isPlaying() || !chosenItem()) { player.jump(n * (event.shiftKey ? 10 : 1)); return; }
  const time = edits.nudge(frames);
  if (time !== null) player.seek(time);
}
function down(n) {
  if (isNames()) names.moveCard(0, n); else stepMark(n);
}
function enter() {
  if (isNames()) { names.openChosen(); return; }
  const item = chosenItem();
  if (item?.kind === "detection") { edits.accept(); return; }
  if (!item || item.end_s === null) { tell("Choose a segment first: Enter then chooses its start, its end, or the whole."); return; }
  state.part = { whole: "start", start: "end", end: "whole" }[state.part];
  player.pause();
  player.seek(state.part === "end" ? item.end_s : item.start_s);
  tell({ whole: "The arrows move the whole.", start: "The arrows move the start.", end: "The arrows move the end." }[state.part]);
}
function fit() {
  const item = chosenItem();
  if (!item) { tell("Choose a mark first: the timeline will show it large."); return; }
  const length = (item.end_s ?? item.start_s) - item.start_s || 40 * state.frames.shortest;
  look(item.start_s - 0.5 * length, 2 * length);
}
function none() {
  isRelabelling = false;
  forget();
  edits.choose(null);
  tell("");
  draw();
}
function relabelNext() {
  isRelabelling = true;
  tell("Now press the key of the class that the chosen mark shall have.");
}
const watching = (act) => (event) => { if (!isNames()) act(event); };

// [title, [keys as they are written, what they do, what is done, keys as the browser names them]]
export const KEYS = [
  ["Mark", [
    ["1 … 9, 0, then letters", "mark the class: a tap is a point, held while it plays a segment; in the grid of names, name the video"],
    ["Shift+P", "a tap makes a point, or two taps make a segment", watching(toggleTapTwice)],
    ["Enter", "accept what the model found; of a segment choose the start, the end, the whole; in the grid of names, open the video", enter],
    ["Delete or Backspace", "delete the chosen mark, or reject what the model found", watching(edits.remove), "Delete", "Backspace"],
    ["← →", "move what is chosen by a frame, with Shift by ten; with nothing chosen go a second, with Shift ten", null, "ArrowLeft", "ArrowRight", "Shift+ArrowLeft", "Shift+ArrowRight"],
    ["[ ]", "the chosen mark starts, or ends, at the present time", null, "[", "]"],
    ["/", "then a class's key: the chosen mark is of that class", watching(relabelNext)],
    ["Shift+S", "split the segment at the present time", watching(edits.split)],
    ["Shift+M", "merge the chosen segment with the next one of its class", watching(edits.merge)],
    ["Shift+C", "copy the chosen mark", watching(edits.copy)],
    ["Shift+V", "paste it at the present time, in any video", watching(edits.paste)],
    ["Shift+N", "nothing else of this class is in what the timeline shows; in the grid of names, no class is in the video", () => (isNames() ? names.nothingInChosen() : edits.nothingElse())],
    ["Shift+W", "what the timeline shows was watched, for all classes", watching(edits.watchedHere)],
    ["Shift+D", "the whole video was watched: it is done", watching(edits.watchedAll)],
    ["Ctrl+Z", "undo, without limit", edits.undo, "Ctrl+Z"],
    ["Ctrl+Shift+Z or Ctrl+Y", "redo", edits.redo, "Ctrl+Shift+Z", "Ctrl+Y"],
    ["Escape", "choose nothing; stop a segment that was begun with a tap", none],
  ]],
  ["Watch", [
    ["Space", "play or pause", watching(player.toggle)],
    [", .", "one frame back, one frame on", null, ",", "."],
    ["< >", "slower, faster: 0.25 to 8 times", null, "<", ">", ";", ":"],
    ["↑ ↓", "the mark before, the mark after; in the grid of names, a row up or down", null, "ArrowUp", "ArrowDown"],
    ["Shift+L", "play the chosen segment, or what the timeline shows, again and again", watching(player.toggleLoop)],
    ["Home End", "to the start, to the end", null, "Home", "End"],
    ["Page Up, Page Down", "the video before, the video after", null, "PageUp", "PageDown"],
  ]],
  ["Look", [
    ["+ -", "show a shorter, a longer part of the video; so does the mouse wheel", null, "+", "=", "-"],
    ["Shift+A", "show the whole video", watching(() => look(0, state.video.duration_s))],
    ["Shift+F", "show the chosen mark large", watching(fit)],
    ["Shift+G", "to the grid of names, and back", () => switchView(isNames() ? "watch" : "names")],
    ["Shift+U", "the next video without a name", () => (isNames() ? names.nextUnnamed() : nextUnnamedVideo())],
    ["Shift+R", "learn again from all marks, or stop learning", learn],
    ["Shift+B", "show an earlier round beside the present one", watching(toggleCompare)],
    ["?", "show these keys", () => $("keys").showModal()],
  ]],
];
function nextUnnamedVideo() {
  const { videos } = state, at = videos.indexOf(state.video);
  const next = [...videos.slice(at + 1), ...videos.slice(0, at + 1)].find((video) => !list.summaryOf(video).isNamed);
  if (next) list.open(next); else tell("Every video has a name.");
}

const ACTS = {
  ArrowLeft: (event) => across(-1, event), ArrowRight: (event) => across(1, event),
  "Shift+ArrowLeft": (event) => across(-1, event), "Shift+ArrowRight": (event) => across(1, event),
  ArrowUp: () => down(-1), ArrowDown: () => down(1),
  "[": watching(() => edits.setEdge("start")), "]": watching(() => edits.setEdge("end")),
  ",": watching(() => player.stepFrames(-1)), ".": watching(() => player.stepFrames(1)),
  "<": watching(() => player.changeRate(-1)), ">": watching(() => player.changeRate(1)),
  ";": watching(() => player.changeRate(-1)), ":": watching(() => player.changeRate(1)), // < and > of some keyboards
  Home: () => (isNames() ? names.cardEnd(false) : player.seek(0)), End: () => (isNames() ? names.cardEnd(true) : player.seek(state.video.duration_s)),
  PageUp: watching(() => list.further(-1)), PageDown: watching(() => list.further(1)),
  "+": watching(() => zoom(0.5)), "=": watching(() => zoom(0.5)), "-": watching(() => zoom(2)),
};
for (const [, rows] of KEYS) for (const [written, , act, ...keys] of rows) if (act) for (const key of keys.length ? keys : [written]) ACTS[key] = act;

function nameOf(event) {
  const key = event.key === " " ? "Space" : /^[a-z]$/i.test(event.key) ? event.key.toUpperCase() : event.key;
  const isNamed = key.length > 1 || /^[A-Z]$/.test(key); // of signs, Shift is a part
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.shiftKey && isNamed && key !== "Space" ? "Shift+" : ""}${key}`;
}
// Some keyboards have digits behind Shift.
function classOf(event) {
  const key = event.key.toLowerCase();
  if (event.ctrlKey || event.metaKey || (event.shiftKey && !/^\d$/.test(key))) return null;
  return state.classes.find((one) => one.key && one.key === key)?.name ?? null;
}

const down_ = new Map(); // physical key -> label: Shift may be released first
function pressed(event) {
  const at = event.target;
  const types = at.matches("input:not([type=checkbox], [type=range]), select, textarea");
  if (types || (event.altKey && !event.getModifierState("AltGraph")) || $("keys").open || event.isComposing) return;
  if (at.matches("input[type=range]") && event.key.startsWith("Arrow")) return;
  if (["Enter", " "].includes(event.key) && at.matches("button, a, summary, input") && !at.matches(".card")) return;
  const label = classOf(event);
  if (label !== null) {
    event.preventDefault();
    if (event.repeat) return;
    if (isNames()) names.nameChosen(label);
    else if (isRelabelling) { isRelabelling = false; edits.relabel(label); } else { down_.set(event.code, label); press(label); }
    return;
  }
  const act = ACTS[nameOf(event)];
  if (!act || !state.video) return;
  event.preventDefault();
  act(event);
}
document.addEventListener("keydown", pressed);
document.addEventListener("keyup", (event) => {
  const label = down_.get(event.code);
  if (label === undefined) return;
  down_.delete(event.code);
  release(label);
});

$("keys-tables").append(...KEYS.map(([title, rows]) => make("table", {}, make("caption", {}, title),
  make("tbody", {}, ...rows.map(([written, does]) => make("tr", {}, make("td", {}, make("kbd", {}, written)), make("td", {}, does)))))));

// Who works with the mouse must not find the next key taken by the control that was clicked.
let isByPointer = false;
document.addEventListener("pointerdown", () => { isByPointer = true; }, true);
document.addEventListener("keydown", () => { isByPointer = false; }, true);
for (const [name, which] of [["click", "button"], ["change", "select, input[type=checkbox], input[type=range]"]]) {
  document.addEventListener(name, (event) => { if (isByPointer && event.target.closest(which) && !event.target.closest(".card, dialog")) document.activeElement?.blur(); });
}

$("open-keys").addEventListener("click", () => $("keys").showModal());
$("close-keys").addEventListener("click", () => $("keys").close());
