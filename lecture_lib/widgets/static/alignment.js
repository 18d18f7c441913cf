const STEP = 0.25; // pixels
const moved = (box, [right, down]) => Float32Array.from(box, (side, i) => side + (i % 2 ? down : right));

/** What both methods do with a box: the cells or points at which they look, and the values of one channel. */
export function pooledBoth(channel, map, box, stride, [rows, columns]) {
  const cells = bins(roundedWindow(box, stride), rows, columns);
  const points = alignPoints(box, stride, [rows, columns]);
  return { cells, points, pooled: poolBins(channel, map, cells), aligned: alignedValues(channel, map, points) };
}

/** By how many pixels, on average, both methods look beside the parts of a box: lengths of `displacement`. */
export function beside({ cells, points }, box, [strideY, strideX], [rows, columns]) {
  const each = points.length / cells.length;
  const middle = (list) => [0, 1].map((axis) => list.reduce((sum, point) => sum + point[axis], 0) / list.length);
  const length = (at) => {
    const lengths = cells.map((_, i) => {
      const wantedX = box[0] + (((i % columns) + 0.5) / columns) * (box[2] - box[0]);
      const wantedY = box[1] + ((Math.floor(i / columns) + 0.5) / rows) * (box[3] - box[1]);
      const [x, y] = at(i);
      return Math.hypot(x * strideX - wantedX, y * strideY - wantedY);
    });
    return lengths.reduce((a, b) => a + b, 0) / lengths.length;
  };
  return {
    pooled: length((i) => [(cells[i][0] + cells[i][2] - 1) / 2, (cells[i][1] + cells[i][3] - 1) / 2]), // half-open
    aligned: length((i) => middle(points.slice(i * each, (i + 1) * each))),
  };
}

/** The largest difference of two lists of numbers. */
export const largestChange = (now, before) => now.reduce((most, value, i) => Math.max(most, Math.abs(value - before[i])), 0);

/** One of the two methods: its picture, a line of text and its values. */
function half(w, row, name) {
  const node = element("div", { class: "lw-half" }, element("b", {}, name));
  row.append(node);
  const scene = new Scene(w, w.images.picture, w.inputs.size);
  const text = element("div", { class: "lw-line" });
  node.append(scene.node, text);
  return { scene, text, values: valueGrid(node, `${name}, pooled values`) };
}

export default function widget(w) {
  const { stride, map, grid, reach, offset, channel: number } = w.inputs;
  const { channel, box: start } = w.arrays;
  for (const name of ["right", "down"]) {
    w.slider(name, { label: `moved ${name}, pixels`, min: -reach, max: reach, step: STEP });
  }
  const row = element("div", { class: "lw-row" });
  w.body.append(row);
  const [pool, align] = ["RoIPool", "RoIAlign"].map((name) => half(w, row, name));
  const range = rangeOf(channel);
  const inPicture = (box) => box.map((side, i) => side - offset[i % 2]);
  const onImage = (cell) => inPicture(cell.map((side, i) => (side - 0.5) * stride[i % 2 ? 0 : 1]));

  function draw({ scene, text, values }, box, { numbers, away }) {
    scene.boxes(inPicture(box), [0], { color: PALETTE.INK, width: 3, rim: true });
    text.textContent = `misses its parts by ${away.toFixed(1)} pixels on average`;
    values(numbers, grid[1], range);
  }

  return () => {
    const { right, down } = w.values;
    const box = moved(start, [right, down]);
    const now = pooledBoth(channel, map, box, stride, grid);
    const before = pooledBoth(channel, map, moved(start, [right - STEP, down]), stride, grid);
    const away = beside(now, box, stride, grid);
    const change = { pooled: largestChange(now.pooled, before.pooled), aligned: largestChange(now.aligned, before.aligned) };
    for (const { scene } of [pool, align]) scene.clear();
    for (const cell of now.cells) {
      pool.scene.boxes(onImage(cell), [0], { color: PALETTE.ORANGE, width: 1.6, fill: PALETTE.ORANGE + "38" });
    }
    const apart = ((box[2] - box[0]) * Math.sqrt(now.cells.length / now.points.length)) / grid[1];
    const dot = Math.min(3 * align.scene.pen, 0.2 * apart);
    const dots = now.points.flatMap(([x, y]) => {
      const [px, py] = [x * stride[1] - offset[0], y * stride[0] - offset[1]];
      return [px - dot, py - dot, px + dot, py + dot];
    });
    const style = { color: PALETTE.PAPER, width: 1, fill: PALETTE.BLUE };
    align.scene.boxes(dots, [...now.points.keys()], style);
    draw(pool, box, { numbers: now.pooled, away: away.pooled });
    draw(align, box, { numbers: now.aligned, away: away.aligned });
    w.say(
      `moved by (${fixed(right)}, ${fixed(down)}) pixels; the last quarter of a pixel to the right changed ` +
        `a value of channel ${number} by up to ` +
        `${fixed(change.pooled, 3)} (RoIPool) and ${fixed(change.aligned, 3)} (RoIAlign)`,
    );
  };
}
