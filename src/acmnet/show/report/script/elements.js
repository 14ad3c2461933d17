// Elements and words. Text of the run enters the page as text nodes only.
const $ = (id) => document.getElementById(id);
const contents = JSON.parse($("contents").textContent);
const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];
const PAGE = 200; // rows shown at once
const colourOf = (label) => COLOURS[Math.max(0, contents.class_names.indexOf(label)) % COLOURS.length];
const make = (tag, text, attributes = {}) => {
  const node = document.createElement(tag);
  if (text !== undefined && text !== null) node.textContent = text;
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};
const text = (value) => document.createTextNode(value);
const long = (value) => make("span", value, { class: "long", title: value });
const seconds = (value) => value.toFixed(2);
const percent = (value) => (100 * value).toFixed(1);
const counted = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;
const DASH = "\u2013"; // what is not known

// What a browser keeps; one that keeps nothing (a private window, no room) says false.
const memory = {
  read(key) { try { return localStorage.getItem(key); } catch { return null; } },
  write(key, value) { try { localStorage.setItem(key, value); return true; } catch { return false; } },
};

function link(label, act) {
  const button = make("button", null, { type: "button" });
  button.append(long(label));
  button.addEventListener("click", act);
  return button;
}

// Columns: [title, value for sorting, cell]. Rows are made for what is shown alone.
function table(node, columns, rows, { more, marks = () => "", first = -1 } = {}) {
  let sorted = first, falling = first > 0, kept = rows, shown = PAGE;
  const head = make("tr");
  columns.forEach(([title], i) => {
    const button = make("button", title, { type: "button" });
    const cell = make("th", null, { scope: "col" });
    button.addEventListener("click", () => {
      falling = sorted === i ? !falling : i > 0;
      sorted = i;
      draw();
    });
    cell.append(button);
    head.append(cell);
  });
  node.tHead.replaceChildren(head);
  if (more) more.addEventListener("click", () => { shown += PAGE; draw(); });
  function sort() {
    if (sorted < 0) return;
    const value = columns[sorted][1], sign = falling ? -1 : 1;
    kept = [...kept].sort((a, b) => {
      const x = value(a), y = value(b);
      return sign * (typeof x === "string" ? x.localeCompare(y) : (x ?? -Infinity) - (y ?? -Infinity));
    });
  }
  function draw() {
    sort();
    [...head.children].forEach((cell, i) => cell.setAttribute("aria-sort", i !== sorted ? "none" : falling ? "descending" : "ascending"));
    node.tBodies[0].replaceChildren(...kept.slice(0, shown).map((row) => {
      const line = make("tr");
      columns.forEach(([, , cell]) => { const td = make("td"); td.append(cell(row)); line.append(td); });
      line.className = marks(row);
      return line;
    }));
    if (more) more.hidden = kept.length <= shown;
  }
  return { show(some) { kept = some; shown = PAGE; draw(); }, draw };
}
