// Windows, bins and pooled values of one channel, as lecture_lib.pooling computes them.

const clamped = (value, low, high) => Math.min(Math.max(value, low), high);

/** Nearest whole number, halves away from zero. */
export function nearest(x) {
  const whole = Math.floor(Math.abs(x));
  return Math.sign(x) * (whole + (Math.abs(x) - whole >= 0.5 ? 1 : 0));
}

/** A box in cells [x1, y1, x2, y2] of float32. */
export const inCells = (box, [strideY, strideX]) => [...box].map((side, i) => f(f(side) / f(i % 2 ? strideY : strideX)));

/** SPPnet's window: the cells, both ends included, whose centres lie in the box (`covered_windows`). */
export function coveredWindow(box, stride, [rows, columns]) {
  const cells = inCells(box, stride);
  const window = [];
  for (const axis of [0, 1]) {
    const [low, high] = [cells[axis], cells[axis + 2]];
    let [first, last] = [Math.floor(low) + 1, Math.ceil(high) - 1];
    if (last < first) first = last = nearest(f(f(low + high) / 2));
    const limit = axis ? rows - 1 : columns - 1;
    [window[axis], window[axis + 2]] = [clamped(first, 0, limit), clamped(last, 0, limit)];
  }
  return window;
}

/** Fast R-CNN's window: both corners at the nearest cell (`rounded_windows`). */
export const roundedWindow = (box, stride) => inCells(box, stride).map((side) => nearest(side) + 0);

/** Start and end, the latter not included, of n bins of the cells from `first` to `last`. */
export function divided(first, last, n) {
  const count = last - first + 1;
  return [...Array(n).keys()].map((i) => [first + Math.floor((i * count) / n), first + Math.ceil(((i + 1) * count) / n)]);
}

/** The bins [x1, y1, x2, y2] of a window, row by row, half-open (`bins`). */
export function bins([x1, y1, x2, y2], rows, columns) {
  const across = divided(x1, x2, columns);
  return divided(y1, y2, rows).flatMap(([top, bottom]) => across.map(([left, right]) => [left, top, right, bottom]));
}

/** The greatest value of a channel [rows, columns] in every bin, 0 for one beyond the border (`pool_bins`). */
export function poolBins(channel, [rows, columns], cells) {
  return cells.map(([x1, y1, x2, y2]) => {
    let greatest = -Infinity;
    for (let y = Math.max(y1, 0); y < Math.min(y2, rows); y++) {
      for (let x = Math.max(x1, 0); x < Math.min(x2, columns); x++) greatest = Math.max(greatest, channel[y * columns + x]);
    }
    return greatest === -Infinity ? 0 : greatest;
  });
}

/** The windows of 3 x 3 cells, two apart, of ordinary pooling without a border: [rows, columns, bins]. */
export function ordinaryBins([x1, y1, x2, y2]) {
  const [rows, columns] = [y2 - y1, x2 - x1].map((last) => Math.max(0, Math.floor((last - 2) / 2) + 1));
  const starts = (count, first) => [...Array(count).keys()].map((i) => first + 2 * i);
  const cells = starts(rows, y1).flatMap((y) => starts(columns, x1).map((x) => [x, y, x + 3, y + 3]));
  return [rows, columns, cells];
}

/** RoIAlign's points [x, y] in cells, `samples` squared for every part, part by part (`align_points`). */
export function alignPoints(box, stride, [rows, columns], samples = 2) {
  const [x1, y1, x2, y2] = box;
  const along = (low, high, n, stride) =>
    [...Array(n * samples).keys()].map((i) => (low + ((i + 0.5) / (n * samples)) * (high - low)) / stride);
  const [x, y] = [along(x1, x2, columns, stride[1]), along(y1, y2, rows, stride[0])];
  const points = [];
  for (let part = 0; part < rows * columns; part++) {
    const [row, column] = [Math.floor(part / columns), part % columns];
    for (let j = 0; j < samples; j++) {
      for (let i = 0; i < samples; i++) points.push([x[column * samples + i], y[row * samples + j]]);
    }
  }
  return points;
}

/** A channel's value between its cells (`bilinear`). */
export function bilinear(channel, [rows, columns], [px, py]) {
  if (px < -1 || px > columns || py < -1 || py > rows) return 0;
  const [x, y] = [clamped(px, 0, columns - 1), clamped(py, 0, rows - 1)];
  let value = 0;
  for (const j of [Math.floor(y), Math.floor(y) + 1]) {
    for (const i of [Math.floor(x), Math.floor(x) + 1]) {
      const near = Math.max(0, 1 - Math.abs(x - i)) * Math.max(0, 1 - Math.abs(y - j));
      if (near) value += near * channel[j * columns + i];
    }
  }
  return value;
}

/** The mean of every part's points (`roi_align`). */
export function alignedValues(channel, size, points, samples = 2) {
  const each = samples * samples;
  const values = points.map((point) => bilinear(channel, size, point));
  const mean = (part) => values.slice(part * each, (part + 1) * each).reduce((a, b) => a + b, 0) / each;
  return [...Array(points.length / each).keys()].map(mean);
}

/** The smallest and the greatest number. */
export function rangeOf(values) {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

/** Numbers, each on its grey; returns the function that shows a grid of them on a scale from low to high. */
export function valueGrid(parent, label) {
  const node = element("div", { class: "lw-values", role: "img" });
  parent.append(node);
  return (values, columns, [low, high], digits = 1) => {
    const cells = [...values].map((value) => {
      const grey = Math.round(clamped((255 * (value - low)) / Math.max(high - low, 1e-6), 0, 255));
      const ink = grey > 118 ? "#000" : "#fff"; // at least 4.5 to 1 on every grey
      return element("span", { style: `background:rgb(${grey},${grey},${grey});color:${ink}` }, fixed(value, digits));
    });
    node.style.gridTemplateColumns = `repeat(${columns}, minmax(0, 2.9em))`;
    node.setAttribute("aria-label", `${label}: ${[...values].map((value) => fixed(value, digits)).join(", ")}`);
    node.replaceChildren(...cells);
  };
}
