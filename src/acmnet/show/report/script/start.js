// Keys, and what is shown first.
const KEYS = {
  ArrowLeft: (e) => seek(state.now - (e.shiftKey ? 5 : 1)),
  ArrowRight: (e) => seek(state.now + (e.shiftKey ? 5 : 1)),
  Home: () => seek(0), End: () => seek(current().duration_s),
  " ": () => $("play").click(), j: () => step(1), k: () => step(-1),
  "+": () => zoom(0.5), "=": () => zoom(0.5), "-": () => zoom(2),
};
document.addEventListener("keydown", (event) => {
  const at = event.target;
  const types = at.matches("input:not([type=checkbox]), select, textarea");
  const presses = event.key === " " && at.matches("button, input, a, video, summary");
  if (state.video < 0 || types || presses || event.ctrlKey || event.metaKey || event.altKey || !KEYS[event.key]) return;
  if (at === player && event.key !== "j" && event.key !== "k") return;
  event.preventDefault();
  KEYS[event.key](event);
});

let isStarted = false;
const { shown } = contents;
filterVideos();
openInsides(memory.read(OPEN) === "true");
showFrom(shown.min_score ?? -Infinity, shown.top ?? Infinity);
const asked = readAddress();
if (asked && asked.video >= 0) goTo(asked); else choose(0, { record: false });
isStarted = true;
document.documentElement.dataset.ready = "true";
