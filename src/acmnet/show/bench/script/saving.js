// Every change is sent at once. What the server has not acknowledged is kept in this browser
// and sent again; a mark that somebody else changed meanwhile is never overwritten unseen.
import { counted, memory, tell } from "./elements.js";
import { sameContent } from "./marks.js";

const MOST = 1000; // marks in one request
const KEEPALIVE_BYTES = 60_000; // browsers let smaller requests finish after the page is closed
const AGAIN_MS = [500, 1000, 2000, 5000];
const PREFIX = "acmnet bench: not saved: ";

export class Saving {
  #waiting = new Map(); // id -> {mark, base}
  #conflicts = new Map(); // id -> {mine, theirs}
  #refused = new Map(); // id -> {mark, sentence}
  #isBusy = false;
  #alone = false; // send one mark at a time, to find the one that is refused
  #failures = 0;
  #key;

  // where: what is labelled, so that drafts of other labels stay where they are.
  // post(path, body) resolves to {status, told}; it throws where no server answers.
  // changed() is called whenever `state` is another.
  constructor({ marks, post, where, changed, who }) {
    Object.assign(this, { marks, post, where, changed, who, trouble: "", isKept: true });
    this.#key = `${PREFIX}${where}: ${crypto.randomUUID()}`;
    navigator.locks?.request(this.#key, () => new Promise(() => {})); // until this page closes
  }

  get state() {
    return { waiting: this.#waiting.size, conflicts: [...this.#conflicts.values()], refused: [...this.#refused.values()], trouble: this.trouble, isKept: this.isKept };
  }

  // Send marks that were changed here.
  put(marks) {
    for (const mark of marks) {
      const conflict = this.#conflicts.get(mark.id);
      this.#refused.delete(mark.id);
      if (conflict) conflict.mine = mark;
      else this.#waiting.set(mark.id, { mark, base: this.#waiting.get(mark.id)?.base ?? mark.version });
    }
    this.#keep();
    this.#send();
  }

  // What pages of this browser that are closed now had not saved.
  async adopt(isKnown) {
    const start = `${PREFIX}${this.where}: `;
    for (const key of memory.keys()) {
      if (!key.startsWith(start) || key === this.#key) continue;
      const read = () => { this.#read(key, isKnown); memory.drop(key); };
      if (navigator.locks) await navigator.locks.request(key, { ifAvailable: true }, (lock) => lock && read());
      else read();
    }
    this.#keep();
    const back = this.#waiting.size;
    this.#send();
    return back;
  }
  #read(key, isKnown) {
    let kept;
    try { kept = JSON.parse(memory.read(key)); } catch { return; }
    for (const { mark, base } of kept ?? []) {
      if (!isKnown(mark)) continue;
      this.#waiting.set(mark.id, { mark, base });
      this.marks.take([{ ...mark, version: this.marks.get(mark.id)?.version ?? 0 }]);
    }
  }

  // Marks that somebody else has changed, as the server tells them.
  receive(changed) {
    const news = [];
    for (const theirs of changed) {
      const conflict = this.#conflicts.get(theirs.id), known = this.marks.get(theirs.id);
      if (conflict) conflict.theirs = theirs;
      // what waits is answered by the server when it is sent
      else if (!this.#waiting.has(theirs.id) && !this.#refused.has(theirs.id) && !(known && known.version >= theirs.version)) news.push(theirs);
    }
    if (news.length) this.marks.take(news);
    return news;
  }

  // Decide on a mark that two people changed.
  resolve(id, keepMine) {
    const { mine, theirs } = this.#conflicts.get(id);
    this.#conflicts.delete(id);
    if (keepMine) {
      this.marks.take([{ ...mine, version: theirs.version }]);
      this.#waiting.set(id, { mark: this.marks.get(id), base: theirs.version });
    } else this.marks.take([theirs]);
    this.#keep();
    this.#send();
  }

  // Give up a mark that the server refuses: back to what it was, or gone.
  drop(id) {
    const { mark } = this.#refused.get(id);
    this.#refused.delete(id);
    this.marks.take([{ ...mark, gone: true }]);
    this.#keep();
  }

  async #send() {
    if (this.#isBusy || !this.#waiting.size) { this.changed(); return; }
    this.#isBusy = true;
    this.changed();
    const batch = [...this.#waiting.values()].slice(0, this.#alone ? 1 : MOST).map((entry) => ({ ...entry }));
    const body = { who: this.who(), marks: batch.map(({ mark, base }) => ({ ...mark, base })) };
    try {
      const { status, told } = await this.post("marks", body, KEEPALIVE_BYTES);
      this.#failures = 0;
      this.trouble = "";
      if (status === 200) this.#stored(batch, told.marks, told.twins ?? []);
      else if (status === 409 && this.#conflicting(told.conflicts ?? [])) this.trouble = "";
      else this.#refuse(batch, told.error ?? `The server answered with status ${status}.`, status);
    } catch {
      this.trouble = "The server does not answer.";
    }
    this.#isBusy = false;
    this.#keep();
    if (this.trouble) setTimeout(() => this.#send(), AGAIN_MS[Math.min(this.#failures++, AGAIN_MS.length - 1)]);
    else if (this.#waiting.size) this.#send();
    else this.#alone = false;
    this.changed();
  }

  // Where another mark said the same already, the server keeps that one alone.
  #stored(batch, stored, twins) {
    const sent = new Map(batch.map(({ mark }) => [mark.id, mark]));
    for (const mark of stored) this.#acknowledge(mark, this.#waiting.get(mark.id)?.mark === sent.get(mark.id));
    if (!twins.length) return;
    this.receive(twins);
    tell(`${counted(twins.length, "mark")} of ${[...new Set(twins.map((mark) => mark.who))].join(", ")} said the same already: it stays one mark.`);
  }
  #acknowledge(stored, isNewest) {
    this.marks.acknowledge(stored, isNewest);
    if (isNewest) this.#waiting.delete(stored.id);
    else if (this.#waiting.has(stored.id)) this.#waiting.get(stored.id).base = stored.version;
  }

  #conflicting(conflicts) {
    const ours = conflicts.filter((theirs) => this.#waiting.has(theirs.id));
    for (const theirs of ours) {
      const { mark: mine } = this.#waiting.get(theirs.id);
      if (sameContent(mine, theirs) || (mine.gone && theirs.gone)) { this.#acknowledge(theirs, true); continue; }
      this.#waiting.delete(theirs.id);
      this.#conflicts.set(theirs.id, { mine, theirs });
    }
    return ours.length;
  }

  #refuse(batch, sentence, status) {
    if (status >= 500 || status === 403 || status === 409) { this.trouble = sentence; return; }
    if (batch.length > 1) { this.#alone = true; return; }
    const [{ mark }] = batch;
    this.#waiting.delete(mark.id);
    this.#refused.set(mark.id, { mark, sentence });
  }

  #keep() {
    const entries = [...this.#waiting.values(), ...[...this.#conflicts.values()].map(({ mine }) => ({ mark: mine, base: mine.version })), ...[...this.#refused.values()].map(({ mark }) => ({ mark, base: mark.version }))];
    if (entries.length) this.isKept = memory.write(this.#key, JSON.stringify(entries));
    else { memory.drop(this.#key); this.isKept = true; }
  }
}
