/** Boxes [R, K, 4], cut off at the border of a picture of (height, width): `boxes.clip` of the library. */
export function clip(boxes, [height, width]) {
  return boxes.map((side, i) => Math.min(Math.max(side, 0), i % 2 ? height : width));
}

/** For each class, the rows with an area, the best score first, of equal scores the first row. */
export function ranked(boxes, scores, classes) {
  const rows = [...Array(scores.length / Math.max(1, classes)).keys()];
  return [...Array(classes).keys()].map((k) => {
    const hasArea = (i) => boxes[4 * i + 2] > boxes[4 * i] && boxes[4 * i + 3] > boxes[4 * i + 1];
    const some = rows.map((row) => row * classes + k).filter(hasArea);
    return some.sort((i, j) => scores[j] - scores[i] || i - j);
  });
}

/** Rounds of suppression among `items` of one class, best first: who is kept, and whom it rejects at which IoU. */
export function rounds(boxes, items, threshold) {
  if (threshold >= 1) return items.map((kept) => ({ kept, rejected: [], ious: [] })); // no IoU is above 1
  const gone = new Uint8Array(items.length);
  const found = [];
  for (let i = 0; i < items.length; i++) {
    if (gone[i]) continue;
    const round = { kept: items[i], rejected: [], ious: [] };
    for (let j = i + 1; j < items.length; j++) {
      if (gone[j]) continue;
      const overlap = iou(boxes, items[i], boxes, items[j]);
      if (!(overlap > threshold)) continue;
      gone[j] = 1;
      round.rejected.push(items[j]);
      round.ious.push(overlap);
    }
    found.push(round);
  }
  return found;
}

/** `decode` of the library after the boxes have moved: candidates, and the rounds in the order of the detections. */
export function suppress(boxes, scores, order, { score, threshold, most }) {
  const lowest = Math.fround(score);
  const candidates = order.map((items) => items.slice(0, countAbove(scores, items, lowest)));
  const all = candidates.flatMap((items) => rounds(boxes, items, threshold));
  const classes = order.length;
  all.sort((p, q) => scores[q.kept] - scores[p.kept] || (p.kept % classes) - (q.kept % classes) || p.kept - q.kept);
  return { candidates: candidates.flat(), rounds: all.slice(0, most) };
}

function countAbove(scores, items, lowest) {
  const end = items.findIndex((i) => !(scores[i] > lowest));
  return end < 0 ? items.length : end;
}

export default function widget(w) {
  const { names, size, most, range } = w.inputs;
  const { scores } = w.arrays;
  const boxes = clip(w.arrays.boxes, size);
  const order = ranked(boxes, scores, names.length);
  w.slider("score", { label: "lowest score", ...range });
  const off = (value) => (value >= 1 ? "off" : value.toFixed(2));
  w.slider("threshold", { label: "IoU to suppress", min: 0, max: 1, step: 0.05, format: off });
  w.toggle("stepping", { label: "round by round" });
  const back = w.button("◀ back", () => w.set("round", Math.max(1, round() - 1)), { "data-name": "back" });
  const next = w.button("next ▶", () => w.set("round", Math.min(result.rounds.length, round() + 1)), {
    "data-name": "next",
  });
  const scene = new Scene(w, w.images.picture, size);
  const title = (i) => `${names[i % names.length]} ${fixed(scores[i])}`;
  const round = () => Math.min(w.values.round, result.rounds.length);
  let result = { rounds: [] };

  function outlined(kept) {
    for (const i of kept.toReversed()) {
      scene.boxes(boxes, [i], { color: classColor((i % names.length) + 1), width: 3, rim: true });
    }
    scene.names(kept.slice(0, 12).map((i) => [title(i), boxes[4 * i], boxes[4 * i + 1]]));
  }

  function step(now) {
    const { kept, rejected, ious } = result.rounds[now - 1];
    scene.boxes(boxes, rejected, { color: PALETTE.RED, width: 2, dash: [6, 6], rim: true });
    outlined(result.rounds.slice(0, now - 1).map((done) => done.kept));
    scene.boxes(boxes, [kept], { color: PALETTE.ORANGE, width: 5, rim: true });
    scene.name(title(kept), boxes[4 * kept], boxes[4 * kept + 1]);
    const overlaps = ious.slice(0, 5).map((overlap) => overlap.toFixed(2)).join(", ") + (ious.length > 5 ? " …" : "");
    const rest = rejected.length ? `rejects ${rejected.length} of its class, IoU ${overlaps}` : "rejects none";
    w.say(`round ${now} of ${result.rounds.length}: ${title(kept)} is kept and ${rest}`);
  }

  return () => {
    result = suppress(boxes, scores, order, { ...w.values, most });
    const stepping = w.values.stepping && result.rounds.length > 0;
    back.disabled = !stepping || round() === 1;
    next.disabled = !stepping || round() === result.rounds.length;
    scene.clear();
    scene.boxes(boxes, result.candidates, { color: PALETTE.MUTED, width: 0.8 });
    if (stepping) return step(round());
    outlined(result.rounds.map((done) => done.kept));
    const [before, after] = [result.candidates.length, result.rounds.length];
    w.say(
      `${counted(before, "box", "boxes")} above ${fixed(w.values.score)} · ${number(after)} ${after === 1 ? "is" : "are"} left`,
      `kept ${number(after)} of ${number(before)}`,
    );
  };
}
