// The frames of a video: the time at which each is shown, as extraction uses them.
const UNKNOWN_STEP_S = 0.04; // of frame steps, until or unless the times are known

export class Frames {
  // times: increasing seconds, or null while they are not known
  constructor(times, duration_s) {
    this.times = times?.length ? times : null;
    this.duration_s = duration_s;
    this.shortest = this.times?.length > 1 ? Math.max(1e-3, (this.times.at(-1) - this.times[0]) / (this.times.length - 1)) : UNKNOWN_STEP_S;
  }

  // Index of the frame that is shown at a time.
  at(time) {
    if (!this.times) return Math.round(time / UNKNOWN_STEP_S);
    let low = 0, high = this.times.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.times[middle] <= time + 1e-6) low = middle; else high = middle - 1;
    }
    return low;
  }

  time(index) {
    if (!this.times) return Math.min(this.duration_s, Math.max(0, index * UNKNOWN_STEP_S));
    return this.times[Math.min(this.times.length - 1, Math.max(0, index))];
  }

  // The nearest time at which a mark can begin or end: a frame's, or the video's end.
  nearest(time) {
    if (time >= this.duration_s) return this.duration_s;
    if (!this.times) return Math.max(0, time);
    const i = this.at(time), before = this.times[i], after = this.times[i + 1] ?? this.duration_s;
    return time - before <= after - time ? before : after;
  }

  // The time that lies a number of frames further; the video's end comes after its last frame.
  step(time, frames) {
    if (!this.times) return Math.min(this.duration_s, Math.max(0, time + frames * UNKNOWN_STEP_S));
    const here = time >= this.duration_s ? this.times.length : this.at(time), next = here + frames;
    return next >= this.times.length ? this.duration_s : this.times[Math.max(0, next)];
  }

  // A time inside of the frame: a share of the way to the next one.
  inside(index, share = 0.5) {
    const start = this.time(index), next = this.times?.[index + 1] ?? start + this.shortest;
    return start + share * (next - start);
  }
}
