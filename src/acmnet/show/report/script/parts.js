// A large report lies in parts beside the page: each is loaded when one of its videos is looked at.
const arriving = new Map();
window.acmnetPart = (first, own) => own.forEach((values, i) => {
  const { rows, ...video } = values, known = rowsOf[first + i];
  rows.forEach((row, rank) => { known[rank] ??= [first + i, ...row, rank]; });
  Object.assign(videos[first + i], video);
});

// Do something with a video: at once, or when its part has arrived and it is still looked at.
function withPart(index, act) {
  if (!contents.parts || videos[index].truth) { act(); return; }
  const place = Math.floor(index / contents.parts.size);
  if (!arriving.has(place)) arriving.set(place, scriptOf(contents.parts.files[place]));
  arriving.get(place).then(() => { if (state.video === index) act(); }, () => {
    arriving.delete(place);
    $("chosen").textContent = `${contents.parts.files[place]} is not beside this page: move the page and that folder together.`;
  });
}
function scriptOf(file) {
  return new Promise((resolve, reject) => {
    const script = make("script", null, { src: file });
    script.addEventListener("load", resolve);
    script.addEventListener("error", reject);
    document.head.append(script);
  });
}
// The text of an element that the page holds for a video, or that came with its part.
const embedded = (kind, index) => (contents.parts ? videos[index][`${kind}_text`] : $(`${kind}-${index}`).textContent);
