// "Learn again": how far it is, its rounds and their scores, and one round beside another.
import { $, make, tell } from "./elements.js";
import { post, read } from "./server.js";
import { relay } from "./timeline.js";
import { state } from "./state.js";

const DASH = "\u2013"; // what is not known
let rounds = []; // those that were learned here
let isRunning = false; // whether a round was being learned when the server was last asked
let said; // what the server last said about learning
let announced = null; // the round whose end this page has told of
let swapped = async () => {};
export const isLearning = () => isRunning;
export const onLearned = (act) => { swapped = act; };

export async function learn() {
  showLearning(true);
  $("learn-state").textContent = "Starting ...";
  try {
    const { status, told } = await post("learn", isRunning ? { stop: true } : {});
    if (status !== 202) { $("learn-state").textContent = told.error; return; }
    isRunning = !isRunning;
    said = null; // so that the next answer is shown, even if it is the same as before
  } catch {
    $("learn-state").textContent = "The server does not answer.";
  }
}

export async function askLearning() {
  const told = await read("learn.json");
  isRunning = told.state === "running";
  $("learn-progress").hidden = !isRunning;
  $("learn-progress").value = told.progress ?? 0;
  $("learn").textContent = isRunning ? "Stop learning" : "Learn from all marks";
  $("open-learning").textContent = isRunning ? `Learning ${Math.round(100 * (told.progress ?? 0))} %` : rounds.length || state.hasRun ? "Learn again" : "Learn";
  const isDone = told.state === "done";
  const words = told.message || (isDone && `Round ${told.round} is done: the timeline shows what it found.`) || told.outside || "";
  // the page's own words, such as why a round cannot begin, stay until the server says something else
  if (words !== said && (words || said !== undefined)) $("learn-state").textContent = words;
  said = words;
  if (isDone && told.round !== announced && !rounds.some((one) => one.number === told.round)) {
    announced = told.round;
    await swapped();
    tell(`Learned: what the model found is from round ${told.round} now.`);
    await readRounds();
  }
}

const percent = (value) => (typeof value === "number" ? (100 * value).toFixed(1) : DASH);
export async function readRounds() {
  ({ rounds } = await read("rounds.json"));
  $("rounds").hidden = !rounds.length;
  const titles = ["round", "when", "marks", "minutes", "average mAP in %", "scored on"];
  $("rounds").tHead.replaceChildren(make("tr", {}, ...titles.map((title) => make("th", { scope: "col" }, title))));
  $("rounds").tBodies[0].replaceChildren(...rounds.map((one) => {
    const cells = [one.number, one.at ? new Date(one.at).toLocaleString() : DASH, one.n_marks, Number.isFinite(one.seconds) ? (one.seconds / 60).toFixed(1) : DASH, percent(one.scores?.average_map), one.scores?.of ?? DASH];
    return make("tr", {}, ...cells.map((cell) => make("td", {}, String(cell ?? DASH))));
  }));
  $("rounds-told").hidden = !rounds.length || rounds.every((one) => one.scores);
  const older = others();
  const chosen = $("compare").value;
  $("compare-field").hidden = !older.length;
  $("compare").replaceChildren(new Option("nothing", ""), ...older.map((one) => new Option(called(one.number), one.number)));
  $("compare").value = older.some((one) => String(one.number) === chosen) ? chosen : "";
}

// The rounds that are not shown, the run that was opened first among them.
function others() {
  const first = state.hasRun ? [{ number: 0, detections_url: "rounds/0/detections.json" }] : [];
  return [...first, ...rounds].filter((one) => one.number !== state.round);
}
const called = (number) => (Number(number) ? `round ${number}` : "the run itself");

async function compare(number) {
  const round = others().find((one) => String(one.number) === String(number));
  try {
    const told = round ? await read(round.detections_url) : null;
    state.other = told && (told.videos ?? told.detections);
    tell(round ? `Dashed: what ${called(number)} found. Filled: what ${called(state.round)} found.` : "One round is shown.");
  } catch (error) {
    tell(error.message);
  }
  relay();
}
export function toggleCompare() {
  const last = others().at(-1);
  if (!last) { tell("There is no other round to compare with yet."); return; }
  $("compare").value = state.other ? "" : last.number;
  compare($("compare").value);
}

export function showLearning(isShown = $("learning").hidden) {
  $("learning").hidden = !isShown;
  $("open-learning").setAttribute("aria-expanded", isShown);
}
$("open-learning").addEventListener("click", () => showLearning());
$("learn").addEventListener("click", learn);
$("compare").addEventListener("change", () => compare($("compare").value));
