/** The cell [x, y] of a map of (rows, columns) that is centred nearest to a point: cell i is centred on pixel i S. */
export function cellAt([x, y], [strideY, strideX], [rows, columns]) {
  const nearest = (value, stride, count) => Math.min(Math.max(Math.round(value / stride), 0), count - 1);
  return [nearest(x, strideX, columns), nearest(y, strideY, rows)];
}

/** The row of the first of the `count` anchors of a cell: `rows_at` of the library. */
export const firstRow = ([x, y], [, columns], count) => (y * columns + x) * count;

const color = (label) => (label < 0 ? PALETTE.IGNORED : label > 0 ? PALETTE.POSITIVE : PALETTE.NEGATIVE);
const dash = (label) => (label < 0 ? [4, 3] : label > 0 ? [] : [9, 5]);

/** A small box around the centre of every cell. */
function dots([strideY, strideX], [rows, columns], half) {
  const corners = [];
  for (let y = 0; y < rows; y++) {
    for (let x = 0; x < columns; x++) {
      corners.push(x * strideX - half, y * strideY - half, x * strideX + half, y * strideY + half);
    }
  }
  return Float32Array.from(corners);
}

/** What is said of the anchors of a cell, a row each; a click on one chooses it. */
function table(w) {
  const body = element("tbody");
  const head = ["anchor", "IoU", "label", "objectness", "moved to IoU", "proposal"];
  const names = element("tr", {}, ...head.map((text) => element("th", { scope: "col" }, text)));
  w.body.append(element("table", { class: "lw-table lw-beside" }, element("thead", {}, names), body));
  return (rows, chosen) => {
    const lines = rows.map(({ cells, color }, a) => {
      const line = element("tr", { class: a === chosen ? "lw-chosen" : "" }, ...cells.map((text) => element("td", {}, text)));
      line.firstChild.style.borderLeft = `5px solid ${color}`;
      line.addEventListener("click", () => w.set("anchor", a));
      return line;
    });
    body.replaceChildren(...lines);
  };
}

export default function widget(w) {
  const { size, stride, map, anchors, reasons } = w.inputs;
  const { boxes, moved, labels, objects, place } = w.arrays;
  const most = place.reduce((a, b) => Math.max(a, b), 0);
  w.choice("anchor", { label: "anchor", options: anchors.map((text, a) => [a, text]) });
  w.toggle("all", { label: "where all of them move" });
  w.controls.append("Click a cell (dot), or Tab to the picture and press the arrow keys.");
  const scene = new Scene(w, w.images.picture, size);
  const show = table(w);
  const cells = dots(stride, map, 0.05 * Math.min(...stride));
  scene.choose("cell", {
    label: "cells of the feature map: arrow keys walk from one to the next",
    pick: (point) => w.set("cell", cellAt(point, stride, map)),
    step: ([dx, dy]) => {
      const [x, y] = w.values.cell;
      w.set("cell", cellAt([(x + dx) * stride[1], (y + dy) * stride[0]], stride, map));
    },
  });

  const becomes = (row) => (place[row] ? `${place[row]} of ${most}` : "none");
  const line = (row, a) => {
    const [before, objectness, after] = ["iou", "objectness", "after"].map((name) => w.arrays[name][row].toFixed(2));
    const label = reasons[w.arrays.reasons[row]];
    return { cells: [anchors[a], before, label, objectness, after, becomes(row)], color: color(labels[row]) };
  };

  return () => {
    const { cell, anchor } = w.values;
    const first = firstRow(cell, map, anchors.length);
    const rows = anchors.map((_, a) => first + a);
    const chosen = first + anchor;
    scene.clear();
    scene.boxes(cells, [...Array(map[0] * map[1]).keys()], { color: PALETTE.PAPER, width: 0, fill: PALETTE.PAPER + "b0" });
    scene.boxes(objects, [...Array(objects.length / 4).keys()], { color: PALETTE.GROUND_TRUTH, width: 4, rim: true });
    for (const row of [...rows.filter((row) => row !== chosen), chosen]) {
      const style = { color: color(labels[row]), dash: dash(labels[row]), width: row === chosen ? 5 : 2, rim: true };
      scene.boxes(boxes, [row], style);
    }
    const drawn = w.values.all ? rows : [chosen];
    scene.boxes(moved, drawn, { color: PALETTE.DETECTION, width: 3, dash: [7, 4], rim: true });
    const radius = 0.2 * Math.min(...stride);
    const [x, y] = [cell[0] * stride[1], cell[1] * stride[0]];
    const dot = [x - radius, y - radius, x + radius, y + radius];
    scene.boxes(dot, [0], { color: PALETTE.PAPER, width: 1, fill: PALETTE.INK });
    const lines = rows.map(line);
    show(lines, anchor);
    const [shape, before, label, objectness, after, proposal] = lines[anchor].cells;
    w.say(
      `cell (${cell}), ${shape}: IoU ${before} → ${label} · the RPN: objectness ${objectness}, moved (orange) to IoU ${after}, proposal ${proposal}`,
    );
  };
}
