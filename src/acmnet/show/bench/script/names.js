// Names first: a grid of the videos; the one that is chosen plays, a class's key names it.
import { $, counted, make, tell } from "./elements.js";
import { nothingIn, toggleName } from "./edits.js";
import { listed, summaryOf } from "./list.js";
import { classChip } from "./marking.js";
import { stripOf } from "./pictures.js";
import { colourOf, onChange, state } from "./state.js";

const LONGEST_LOOK_S = 6; // a chosen video plays so fast that it takes at most this long
const FASTEST = 8;
const PICTURES = 32;
const MIDDLE = 15; // the picture of the strip that stands for the video

const cards = new Map(); // id -> {video, node, names}
let order = [];
let at = 0;
let open = () => {};
export const onOpenNamed = (act) => { open = act; };

const film = make("video", { muted: true, loop: true, playsinline: true, "aria-hidden": "true", tabindex: "-1" });
film.muted = true;

function cardOf(video) {
  let card = cards.get(video.id);
  if (!card) {
    const names = make("span", { class: "names" });
    const picture = make("span", { class: "picture" });
    if (video.strip_url) showPicture(picture, video.strip_url);
    const node = make("button", { type: "button", class: "card", tabindex: "-1" }, picture, make("span", { class: "id" }, video.id), names);
    node.addEventListener("click", () => { if (order[at] === video) open(video); else choose(order.indexOf(video)); });
    node.addEventListener("focus", () => { if (order[at] !== video) choose(order.indexOf(video)); });
    card = { video, node, names };
    cards.set(video.id, card);
  }
  const { labels, isWatched } = summaryOf(video);
  const words = labels.join(", ") || (isWatched ? "nothing in it" : "no name yet");
  card.node.setAttribute("aria-label", `${video.id}: ${words}`);
  card.node.classList.toggle("named", labels.length > 0 || isWatched);
  card.names.replaceChildren(...(labels.length ? labels.map((label) => {
    const chip = make("span", { class: "name" }, label);
    chip.style.setProperty("--colour", colourOf(label));
    return chip;
  }) : [make("span", { class: "quiet" }, words)]));
  return card.node;
}

// One of the strip's pictures, loaded when the card comes near the screen.
const nearby = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) { nearby.unobserve(target); load(target); }
}, { rootMargin: "300px" });
function showPicture(node, url) { node.dataset.url = url; nearby.observe(node); }
async function load(node) {
  const image = await stripOf(node.dataset.url);
  if (!image) return;
  const canvas = make("canvas", { width: Math.round(image.naturalWidth / PICTURES), height: image.naturalHeight });
  canvas.getContext("2d").drawImage(image, -MIDDLE * canvas.width, 0);
  node.prepend(canvas);
}

// The form of a new class stands on the page that is shown.
export function showNames(isShown) {
  const before = isShown ? $("names-top") : $("chips");
  if (before.nextElementSibling !== $("new-class")) before.after($("new-class"));
  if (!isShown) { film.removeAttribute("src"); film.remove(); return; }
  order = listed();
  $("grid").replaceChildren(...order.map(cardOf));
  layKeys();
  tell(state.classes.length ? "Choose a video, then tap or press the key of each class in it. Arrows go on to the next video, Enter opens it." : "Begin with a class: write what happens in your videos into “New class”.");
  choose(Math.max(0, order.indexOf(state.video)));
}
function layKeys() {
  const none = make("button", { type: "button", onclick: nothingInChosen, title: "Shift+N" }, "None of these");
  const next = make("button", { type: "button", onclick: nextUnnamed, title: "Shift+U" }, "Next without a name");
  $("names-keys").hidden = !state.classes.length;
  $("names-keys").replaceChildren(...state.classes.map((one) => classChip(one, () => nameChosen(one.name))), none, next);
}

function choose(index) {
  if (!order.length) { tell("No video is listed."); return; }
  cards.get(order[at]?.id)?.node.classList.remove("now");
  cards.get(order[at]?.id)?.node.setAttribute("tabindex", "-1");
  at = Math.min(Math.max(0, index), order.length - 1);
  const video = order[at], { node } = cards.get(video.id);
  node.classList.add("now");
  node.setAttribute("tabindex", "0");
  node.style.scrollMarginTop = `${$("names-top").offsetHeight + 8}px`; // it covers the cards
  node.focus({ preventScroll: true });
  node.scrollIntoView({ block: "nearest" });
  if (video.url) {
    film.src = video.url;
    film.playbackRate = film.defaultPlaybackRate = Math.min(FASTEST, Math.max(1, (video.duration_s ?? 0) / LONGEST_LOOK_S));
    node.querySelector(".picture").append(film);
    film.play().catch(() => {}); // refused where another card is chosen meanwhile
  } else film.remove();
}

// Arrows move by cards and by rows, whatever the width.
export function moveCard(dx, dy) {
  const columns = order.findIndex((video) => cards.get(video.id).node.offsetTop > cards.get(order[0].id).node.offsetTop);
  choose(at + dx + dy * (columns > 0 ? columns : order.length));
}
export const cardEnd = (isLast) => choose(isLast ? order.length - 1 : 0);
export function nextUnnamed() {
  const rest = [...order.slice(at + 1), ...order.slice(0, at + 1)].find((video) => !summaryOf(video).isNamed);
  if (rest) choose(order.indexOf(rest)); else tell("Every video that is listed has a name.");
}

export function nameChosen(label) {
  const video = order[at];
  if (!video) return;
  const isNew = toggleName(video, label), named = order.filter((one) => summaryOf(one).isNamed).length;
  tell(`${video.id} is ${isNew ? "" : "not "}${label}. ${named} of ${counted(order.length, "video")} named.`);
}
export function nothingInChosen() {
  if (!order[at]) return;
  nothingIn(order[at]);
  tell(`None of the classes is in ${order[at].id}.`);
}
export function openChosen() { if (order[at]) open(order[at]); }

onChange((changed) => {
  if (state.page !== "names") return;
  for (const video of new Set(changed.map((mark) => mark.video))) if (cards.has(video)) cardOf(cards.get(video).video);
});
