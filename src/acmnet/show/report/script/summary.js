// Scores, and where the run comes from.
const scores = contents.scores;
$("warning").textContent = contents.notes.join(" ");
if (scores) {
  const counts = `${counted(scores.videos, "video")}, ${counted(scores.instances, "true segment")}, ${counted(scores.detections, "detection")}`;
  const rules = scores.protocol === "custom" ? "" : `; protocol ${scores.protocol}`;
  $("headline").textContent = `average mAP ${percent(scores.average)} % (${counts}${rules})`;
  const head = make("tr"), row = make("tr");
  head.append(make("th", "mAP in % at an overlap of"), ...scores.tiou.map((t) => make("th", String(t), { scope: "col" })), make("th", "average", { scope: "col" }));
  row.append(make("th", "all classes", { scope: "row" }), ...[...scores.map, scores.average].map((x) => make("td", percent(x))));
  $("scores").append(head, row);
  $("rules").textContent = contents.rules;
  $("rules-words").hidden = false;
  table($("classes"), [
    ["AP in %", (c) => c[0], (c) => long(c[0])],
    ...scores.tiou.map((t, i) => [String(t), (c) => c[1][i], (c) => text(percent(c[1][i]))]),
    ["average", (c) => c[1].reduce((a, b) => a + b, 0), (c) => text(percent(c[1].reduce((a, b) => a + b, 0) / c[1].length))],
  ], Object.entries(scores.per_class), { first: scores.tiou.length + 1 }).draw();
  const dropped = Object.entries(scores.dropped).map(([why, n]) => `${counted(n, "detection")} not scored: ${why}`);
  for (const note of dropped) $("notes").append(make("li", note));
  if (scores.ground_truth_sha256) contents.facts["ground truth SHA-256"] = scores.ground_truth_sha256;
} else {
  const why = videos.some((v) => v.instances) ? "not scored, as the run learned from the true segments" : "no true segments are known";
  $("headline").textContent = `${counted(videos.length, "video")}, ${counted(contents.parts?.detections ?? all.length, "detection")}; ${why}`;
  for (const id of ["scores", "classes"]) $(id).parentElement.hidden = true;
}
for (const [name, value] of Object.entries(contents.facts)) $("facts").append(make("dt", name), make("dd", value));
