// Says what is saved and what is not, and lets a person decide where two changed one mark.
import { $, button, clockText, counted, make, tell } from "./elements.js";
import { described } from "./edits.js";

function told(mark) {
  if (mark.gone) return "deleted";
  const times = mark.start_s === null ? "" : mark.end_s === null ? ` at ${clockText(mark.start_s)}` : ` ${clockText(mark.start_s)} to ${clockText(mark.end_s)}`;
  return `${mark.kind === "name" ? "name " : ""}${described(mark)}${times}`;
}

let seen = "";
export function drawSaved(saving) {
  const { waiting, conflicts, refused, trouble, isKept } = saving.state;
  const n = counted(waiting, "change");
  $("saved").textContent = waiting ? `${n} being saved` : "all saved";
  $("saved").classList.toggle("bad", Boolean(trouble && waiting));
  const kept = isKept ? `${waiting === 1 ? "It is" : "They are"} kept in this browser and sent again.` : "This browser cannot keep them: leave this page open.";
  const sentence = trouble ? `${trouble} ${waiting ? `${n} not saved yet. ${kept}` : "Your marks are saved."}` : "";
  if ($("trouble").textContent !== sentence) $("trouble").textContent = sentence;
  $("trouble").hidden = !sentence;
  const key = JSON.stringify([conflicts, refused]);
  if (key === seen) return;
  seen = key;
  $("conflicts").hidden = !conflicts.length && !refused.length;
  $("conflicts").replaceChildren(
    ...conflicts.map(({ mine, theirs }) => make("p", { role: "alert" },
      `${theirs.who || "Somebody"} and you changed the same mark of ${mine.video}. Yours: ${told(mine)}. ${theirs.who || "Theirs"}: ${told(theirs)}. `,
      button("Keep mine", () => saving.resolve(mine.id, true)), " ",
      button(`Take ${theirs.who ? `that of ${theirs.who}` : "the other"}`, () => saving.resolve(mine.id, false)))),
    ...refused.map(({ mark, sentence: why }) => make("p", { role: "alert" }, `Not saved: ${why} `,
      button("Try again", () => saving.put([mark])), " ", button("Drop this mark", () => { saving.drop(mark.id); tell("Dropped."); }))));
}
