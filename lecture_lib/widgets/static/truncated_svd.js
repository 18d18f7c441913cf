/** Counts with at most three digits and a unit: 6.67 M. */
export function short(count) {
  const [size, unit] = count >= 1e6 ? [1e6, " M"] : count >= 1e3 ? [1e3, " k"] : [1, ""];
  const value = count / size;
  return `${unit ? value.toPrecision(3) : number(value)}${unit}`;
}

export default function widget(w) {
  const { names, size, rows } = w.inputs;
  const full = rows[rows.length - 1];
  const title = ({ fc6, fc7 }) => (fc6 ? `rank ${fc6} and ${fc7}` : "not cut");
  w.slider("row", {
    label: "rank of fc6 and of fc7",
    min: 0,
    max: rows.length - 1,
    step: 1,
    format: (row) => (rows[row].fc6 ? `${rows[row].fc6}, ${rows[row].fc7}` : "not cut"),
  });
  const scene = new Scene(w, w.images.picture, size);
  const show = bars(w.body);

  function outlined({ boxes, labels, scores }) {
    const all = [...labels.keys()]; // the surest first
    for (const i of all.toReversed()) scene.boxes(boxes, [i], { color: classColor(labels[i]), width: 3, rim: true });
    const title = (i) => `${names[labels[i] - 1]} ${scores[i].toFixed(2)}`;
    scene.names(all.slice(0, 12).map((i) => [title(i), boxes[4 * i], boxes[4 * i + 1]]));
  }

  return () => {
    const at = rows[w.values.row];
    const read = (field, row = w.values.row) => w.arrays[`${row} ${field}`];
    const lost = [...read("lost").entries()].filter(([, gone]) => gone).map(([i]) => i);
    const kept = read("kept").reduce((a, b) => a + b, 0);
    scene.clear();
    outlined({ boxes: read("boxes"), labels: read("labels"), scores: read("scores") });
    scene.boxes(read("boxes", rows.length - 1), lost, { color: PALETTE.RED, width: 3, dash: [6, 4], rim: true });
    const lines = [
      ["weights", at.weights / full.weights, `${short(at.weights)} of ${short(full.weights)}`, PALETTE.BLUE],
      ["time", at.ms / full.ms, `${at.ms.toFixed(1)} of ${full.ms.toFixed(1)} ms`, PALETTE.ORANGE],
    ];
    const known = at.map !== null && full.map !== null;
    if (known) lines.push(["mAP", at.map / full.map, `${at.map.toFixed(3)} of ${full.map.toFixed(3)}`, PALETTE.GREEN]);
    show(lines.map(([name, share, text, color]) => [name, [[Math.min(share, 1), color]], text, false]));
    const [before, now] = [read("lost").length, read("labels").length];
    w.say(
      `${title(at)}: ${((100 * at.weights) / full.weights).toFixed(0)}% of the weights · of ${before} detections ` +
        `${kept} are left (red, dashed: lost), ${now - kept} are new` + (known ? "" : " · mAP is not measured at this rank"),
    );
  };
}
