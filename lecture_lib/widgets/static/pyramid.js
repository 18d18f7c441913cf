const TINTS = ["BLUE", "ORANGE", "GREEN", "RED"].map((name) => PALETTE[name]);
const RULES = { covered: "SPPnet", rounded: "Fast R-CNN" };

/** Size, bins and grids of what is pooled of a window: grids is a list of [rows, columns, bins]. */
export function pooledGrids(window, { pooling, level }, levels) {
  if (pooling === "ordinary") return [ordinaryBins(window)];
  return (pooling === "pyramid" ? levels : [level]).map((n) => [n, n, bins(window, n, n)]);
}

/** How many cells the bins pool beyond those that the window has. */
export function pooledAgain([x1, y1, x2, y2], cells) {
  const total = cells.reduce((sum, [left, top, right, bottom]) => sum + (right - left) * (bottom - top), 0);
  return total - (x2 - x1 + 1) * (y2 - y1 + 1);
}

/** A side of the window in words: how it is rounded, and which cells each bin has. */
export function explained(axis, box, { stride, rule, window, level }) {
  const [name, S] = axis ? ["rows", stride[0]] : ["columns", stride[1]];
  const [low, high] = [box[axis], box[axis + 2]].map((side) => (side / S).toFixed(2));
  const [first, last] = [window[axis], window[axis + 2]];
  const ends =
    rule === "covered" ? `floor(${low}) + 1 = ${first} to ceil(${high}) − 1 = ${last}` : `${low} ≈ ${first} to ${high} ≈ ${last}`;
  const parts = divided(first, last, level).map(([start, end]) => (end - start > 1 ? `${start}–${end - 1}` : `${start}`));
  return `${name} ${ends} → bins ${parts.join(" | ")}`;
}

/** What a pooled grid means for fully connected layers that were made for n x n cells. */
function verdict([rows, columns], n) {
  if (!rows || !columns) return "no cell at all";
  const fits = rows === n && columns === n;
  return `${columns} × ${rows} = ${columns * rows} cells ${fits ? "✓" : `✗: layers made for ${n} × ${n} cannot read them`}`;
}

export default function widget(w) {
  const { size, stride, map, levels, channel: number } = w.inputs;
  const { channel, proposals } = w.arrays;
  w.controlsBeside();
  const count = proposals.length / 4;
  w.choice("rule", { label: "window", options: [["covered", "SPPnet: centres inside"], ["rounded", "Fast R-CNN: rounded"]] });
  w.choice("pooling", {
    label: "pooling",
    options: [["grid", "n × n bins"], ["pyramid", `pyramid ${levels.join(", ")}`], ["ordinary", "ordinary: 3 × 3, stride 2"]],
  });
  w.slider("level", { label: "n, bins a side", min: 1, max: 8, step: 1 });
  if (count) {
    w.slider("number", { label: "start from proposal", min: 1, max: count, step: 1 }).addEventListener("input", () => {
      const row = 4 * (w.values.number - 1);
      w.set("box", [...proposals.subarray(row, row + 4)]);
    });
  }
  w.controls.append("Drag the box, or Tab to it and press the arrow keys.");
  const row = element("div", { class: "lw-row" });
  const [picture, cells] = [new Scene(w, w.images.picture, size), new Scene(w, w.images.map, map)];
  w.body.append(row);
  row.append(picture.node, cells.node);
  picture.box("box", { color: PALETTE.INK, label: "region" });
  const [across, down] = [w.line(), w.line()];
  const grids = element("div", { class: "lw-row" });
  w.body.append(grids);
  const range = rangeOf(channel);

  function tinted(scene, boxes, columns) {
    const inset = 1.5 * scene.pen;
    boxes.forEach(([x1, y1, x2, y2], i) => {
      const color = TINTS[2 * (Math.floor(i / columns) % 2) + ((i % columns) % 2)];
      const box = [x1 + inset, y1 + inset, x2 - inset, y2 - inset];
      scene.boxes(box, [0], { color, width: 2, fill: color + "50" });
    });
  }

  return () => {
    const { box, rule, pooling, level } = w.values;
    const window = rule === "covered" ? coveredWindow(box, stride, map) : roundedWindow(box, stride);
    const pooled = pooledGrids(window, w.values, levels);
    const [rows, columns, drawn] = pooled[0];
    picture.clear();
    const onImage = drawn.map((bin) => bin.map((side, i) => (side - 0.5) * stride[i % 2 ? 0 : 1]));
    tinted(picture, onImage, columns);
    cells.clear();
    tinted(cells, drawn, columns);
    const exact = inCells(box, stride).map((side) => side + 0.5);
    cells.boxes(exact, [0], { color: PALETTE.INK, width: 2, rim: true });
    const shown = pooling === "pyramid" ? levels[0] : level;
    [across, down].forEach((line, axis) => {
      line.textContent = explained(axis, box, { stride, rule, window, level: shown });
      line.hidden = pooling === "ordinary";
    });
    grids.replaceChildren();
    for (const [, columns, bins] of pooled) valueGrid(grids, `pooled values of channel ${number}`)(poolBins(channel, map, bins), columns, range);
    const [wide, high] = [window[2] - window[0] + 1, window[3] - window[1] + 1];
    const about = `window (${RULES[rule]}): ${wide} × ${high} cells → `;
    if (pooling === "ordinary") return w.say(about + verdict([rows, columns], level));
    const total = pooled.reduce((sum, [rows, columns]) => sum + rows * columns, 0);
    const again = pooling === "grid" ? pooledAgain(window, drawn) : 0;
    const extra = again ? `, which pool ${again} cells more than there are` : "";
    w.say(`${about}${total} ${total > 1 ? "bins" : "bin"} ✓${extra} · values of channel ${number}`);
  };
}
