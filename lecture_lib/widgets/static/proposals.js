/** For each object its best IoU with the first `count` proposals, and the row of that proposal (-1: none touches it). */
export function bestOf(proposals, objects, count) {
  return [...Array(objects.length / 4).keys()].map((g) => {
    let [best, row] = [0, -1];
    for (let r = 0; r < count; r++) {
      const overlap = iou(objects, g, proposals, r);
      if (overlap > best) [best, row] = [overlap, r];
    }
    return { best, row };
  });
}

export default function widget(w) {
  const { size, counts, web } = w.inputs;
  const { proposals, objects } = w.arrays;
  const last = counts.length - 1;
  w.slider("step", { label: "boxes, by rank", min: 0, max: last, step: 1, format: (step) => number(counts[step]) });
  w.slider("threshold", { label: "IoU to be found", min: 0.3, max: 0.95, step: 0.05 });
  const scene = new Scene(w, w.images.picture, size);

  return () => {
    const count = counts[w.values.step];
    const every = Math.max(1, Math.ceil(count / web));
    const found = bestOf(proposals, objects, count);
    const threshold = f(w.values.threshold);
    const hit = (g) => found[g].best >= threshold;
    const rows = [...found.keys()];
    scene.clear();
    const shown = [...Array(Math.ceil(count / every)).keys()].map((row) => row * every);
    scene.boxes(proposals, shown, { color: PALETTE.PROPOSAL, width: 0.8 });
    scene.boxes(objects, rows.filter((g) => !hit(g)), { color: PALETTE.MUTED, width: 3, dash: [8, 5], rim: true });
    scene.boxes(objects, rows.filter(hit), { color: PALETTE.GROUND_TRUTH, width: 4, rim: true });
    scene.boxes(proposals, rows.filter(hit).map((g) => found[g].row), { color: PALETTE.DETECTION, width: 3, rim: true });
    for (const g of rows) scene.name(found[g].best.toFixed(2), objects[4 * g], objects[4 * g + 1]);
    const boxes = counted(count, "box", "boxes");
    if (!rows.length) return w.say(boxes);
    const mean = found.reduce((sum, { best }) => sum + best, 0) / rows.length;
    const hits = rows.filter(hit).length;
    w.say(`${boxes} · ${hits} of ${rows.length} objects found · mean best overlap ${mean.toFixed(2)}`);
  };
}
