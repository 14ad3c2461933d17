// Elements and words. Names of videos, classes and people enter the page as text only.
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b8a800", "#8c6bb1"];

export const $ = (id) => document.getElementById(id);

// make("button", {type: "button", onclick: act}, "Play")
export function make(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children);
  return node;
}

export const button = (words, act, attributes = {}) => make("button", { type: "button", onclick: act, ...attributes }, words);
export const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
export const colourAt = (index) => COLOURS[Math.max(0, index) % COLOURS.length];

// Black or white, whichever stands out more from a colour "#rrggbb" (luminance of WCAG 2).
export function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(colour.slice(i, i + 2), 16) / 255).map((x) => (x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

// 75.5 is "1:15.50"; with hours "1:01:15.50".
export function clockText(seconds, digits = 2) {
  const parts = 10 ** digits, whole = Math.round(Math.max(0, seconds) * parts);
  const s = (whole % (60 * parts)) / parts, m = Math.floor(whole / (60 * parts));
  const tail = s.toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  if (m < 60) return `${m}:${tail}`;
  return `${Math.floor(m / 60)}:${String(m % 60).padStart(2, "0")}:${tail}`;
}

// The opposite of clockText; NaN where the text is no time.
export function secondsOf(text) {
  const parts = text.trim().split(":");
  if (!parts.length || parts.length > 3 || !parts.every((part) => /^\d+(\.\d*)?$/.test(part))) return NaN;
  return parts.reduce((seconds, part) => 60 * seconds + Number(part), 0);
}

// What a browser keeps; a private window, or one without room, keeps nothing.
export const memory = {
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, value); return true; } catch { return false; } },
  drop(key) { try { localStorage.removeItem(key); } catch { /* it was not kept */ } },
  keys() { try { return Object.keys(localStorage); } catch { return []; } },
};

export function tell(sentence) {
  $("told").textContent = sentence;
  $("names-told").textContent = sentence;
}
