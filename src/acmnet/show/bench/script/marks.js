// All marks that this page knows, and every change to them, which can be undone.
//
// A mark is never altered in place: a change puts a new object under its id. Deleting is a
// change to `gone: true`, so undoing a deletion is one more change.
const STATEMENT = ["video", "kind", "label", "start_s", "end_s"];
const CONTENT = [...STATEMENT, "from", "gone"];
const JOIN_MS = 800; // changes with one join key within this time are one step of undo

const SAME_S = 1e-5; // the server rounds times to a millionth of a second

const isSame = (one, other) => one === other || (typeof one === "number" && typeof other === "number" && Math.abs(one - other) < SAME_S);
const sameIn = (names, one, other) => names.every((name) => isSame(one[name] ?? null, other[name] ?? null));
export const sameContent = (one, other) => sameIn(CONTENT, one, other);
export const sameStatement = (one, other) => sameIn(STATEMENT, one, other);
const byStart = (one, other) => (one.start_s ?? -1) - (other.start_s ?? -1) || (one.end_s ?? 0) - (other.end_s ?? 0);

export class Marks {
  #known = new Map(); // id -> mark
  #videos = new Map(); // video -> set of ids
  #sorted = new Map(); // video -> its marks that are not gone, by start
  #done = [];
  #undone = [];

  // changed(marks, isOwn) is called after each change, isOwn for those made at this page.
  constructor(changed = () => {}) { this.changed = changed; }

  get(id) { return this.#known.get(id); }

  of(video) {
    let sorted = this.#sorted.get(video);
    if (!sorted) {
      sorted = [...(this.#videos.get(video) ?? [])].map((id) => this.#known.get(id)).filter((mark) => !mark.gone).sort(byStart);
      this.#sorted.set(video, sorted);
    }
    return sorted;
  }

  // Marks from the server, or from the last visit of this browser.
  take(marks) {
    for (const mark of marks) this.#put(mark);
    this.changed(marks, false);
  }

  // The server has stored a mark of ours: its content may have been changed here since.
  acknowledge(stored, isNewest) {
    const mine = this.#known.get(stored.id);
    this.#put(isNewest || !mine ? stored : { ...mine, version: stored.version });
    this.changed([stored], false);
  }

  // Make one change of several marks, given as they are to be. Returns them.
  change(marks, join = null) {
    const changes = marks.map((after) => ({ before: this.#known.get(after.id) ?? { ...after, gone: true }, after }));
    const last = this.#done.at(-1), now = performance.now();
    if (join !== null && last?.join === join && now - last.at < JOIN_MS && !this.#undone.length) {
      last.at = now;
      last.changes = changes.map(({ before, after }) => ({ before: last.changes.find((c) => c.after.id === after.id)?.before ?? before, after }));
    } else this.#done.push({ changes, join, at: now });
    this.#undone = [];
    this.#own(marks);
    return marks;
  }

  // Both return the ids that changed, or null if there is nothing to undo or somebody
  // else has changed the marks since; `blocked` then says which of the two it is.
  undo() { return this.#move(this.#done, this.#undone, "after", "before"); }
  redo() { return this.#move(this.#undone, this.#done, "before", "after"); }

  #move(from, to, now, then) {
    const step = from.pop();
    this.blocked = false;
    if (!step) return null;
    this.blocked = step.changes.some((change) => !sameContent(this.#known.get(change.after.id), change[now]));
    if (this.blocked) return null;
    to.push({ ...step, join: null });
    this.#own(step.changes.map((change) => change[then]));
    return step.changes.map((change) => change.after.id);
  }

  #own(marks) {
    for (const mark of marks) this.#put({ ...mark, version: this.#known.get(mark.id)?.version ?? 0 });
    this.changed(marks.map((mark) => this.#known.get(mark.id)), true);
  }

  #put(mark) {
    this.#known.set(mark.id, mark);
    if (!this.#videos.has(mark.video)) this.#videos.set(mark.video, new Set());
    this.#videos.get(mark.video).add(mark.id);
    this.#sorted.delete(mark.video);
  }
}
