const COLORS = ["MUTED", "SKY", "GREEN", "BLUE", "ORANGE", "RED", "PURPLE"]; // of the slots, as in the figures

/** The row of the smallest box with an area around a point, -1 where there is none. */
export function boxAt(boxes, [x, y]) {
  const around = (row) => boxes[4 * row] <= x && x < boxes[4 * row + 2] && boxes[4 * row + 1] <= y && y < boxes[4 * row + 3];
  const rows = [...Array(boxes.length / 4).keys()].filter(around);
  return rows.sort((i, j) => area(boxes, i) - area(boxes, j))[0] ?? -1;
}

/** Classes by their score, the best first: [class index, score] of one region. */
export function bestClasses(scores, count) {
  return [...scores.entries()].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, count);
}

/** Seconds in words, with a unit that fits. */
export const duration = (seconds) => (seconds < 0.9995 ? `${number(1000 * seconds, seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`);

const total = (seconds) => Object.values(seconds).reduce((a, b) => a + b, 0);

function panel(row, title) {
  const node = element("div", { class: "lw-panel" }, element("b", {}, title));
  row.append(node);
  return node;
}

/** A ladder of stacked bars, a row for each detector and a colour for each slot. */
function ladder(w, titles) {
  const { slots } = w.inputs;
  const color = (slot) => PALETTE[COLORS[slots.indexOf(slot)]];
  const show = bars(w.body);
  const legend = slots.map((slot) => element("span", { class: "lw-key", style: `--lw-key:${color(slot)}` }, slot));
  w.line().append(...legend);
  return (runs, chosen) => {
    const longest = Math.max(...runs.map(({ seconds }) => total(seconds)));
    const parts = (seconds) => slots.map((slot) => [(seconds[slot] ?? 0) / longest, color(slot)]);
    show(runs.map(({ seconds }, d) => [titles[d], parts(seconds), duration(total(seconds)), d === chosen]));
  };
}

export default function widget(w) {
  const { names, sizes, detectors, runs } = w.inputs;
  const titles = detectors.map(([, title]) => title);
  w.choice("picture", { label: "picture", options: sizes.map((_, i) => [i, `${i + 1}`]) });
  w.choice("detector", { label: "detector", options: detectors });
  w.controls.append("Click a detection, or Tab to the picture and press the arrow keys.");
  const scene = new Scene(w, w.images["picture 0"], sizes[0]);
  const row = element("div", { class: "lw-row lw-beside" });
  w.body.append(row);
  const decoded = panel(row, "decode").appendChild(element("div"));
  const scored = panel(row, "← embed, predict");
  const vector = scored.appendChild(element("div"));
  const classes = bars(scored);
  const pool = panel(row, "← pool");
  const [pooled, grids] = [pool.appendChild(element("div")), pool.appendChild(element("div", { class: "lw-grids" }))];
  const warped = pool.appendChild(element("canvas"));
  const propose = panel(row, "← propose");
  const region = propose.appendChild(element("div"));
  const pixels = propose.appendChild(element("canvas"));
  const seconds = ladder(w, titles);
  const pictures = Object.fromEntries(Object.entries(w.images).map(([name, src]) => [name, loaded(w, src)]));
  const key = () => `${w.values.picture} ${w.values.detector}`;
  const read = (field) => w.arrays[`${key()} ${field}`];
  const count = () => read("labels").length;
  const chosen = () => Math.min(w.values.detection, count() - 1);

  scene.choose("detection", {
    label: "detections: arrow keys walk from one to the next",
    pick: (place) => {
      const at = boxAt(read("boxes"), place);
      if (at >= 0) w.set("detection", at);
    },
    step: ([dx, dy]) => count() && w.set("detection", (chosen() + dx + dy + count()) % count()),
  });

  /** What the chosen detection was in each slot before. */
  function walk(at, run) {
    const [box, from] = ["boxes", "regions"].map((field) => read(field).subarray(4 * at, 4 * at + 4));
    const label = read("labels")[at];
    const deltas = [...read("deltas").subarray(4 * at, 4 * at + 4)].map((t) => fixed(t));
    decoded.textContent = `the region, moved by t = (${deltas.join(", ")}), then clipped`;
    vector.textContent = `${number(run.width)} numbers → ${names.length} scores`;
    const [low, high] = run.range;
    const best = bestClasses(read("scores").subarray(names.length * at, names.length * (at + 1)), 5);
    const bar = (k, score) => [[(score - low) / (high - low), classColor(k + 1)]];
    classes(best.map(([k, score]) => [names[k], bar(k, score), fixed(score), k + 1 === label]));
    region.textContent = `region ${number(read("rows")[at] + 1)} of ${number(run.regions)}`;
    crop(pixels, pictures[`picture ${w.values.picture}`], [from[0], from[1], from[2] - from[0], from[3] - from[1]]);
    const strip = pictures[`${key()} warped`];
    warped.hidden = !strip;
    pooled.textContent = strip ? "warped pixels" : "cells of the map, mean of the channels";
    grids.replaceChildren();
    if (strip) crop(warped, strip, [at * strip.naturalHeight, 0, strip.naturalHeight, strip.naturalHeight]);
    else levels(run, read("cells"), at);
    return { box, from, label };
  }

  function levels(run, cells, at) {
    const each = cells.shape[1];
    const own = cells.subarray(each * at, each * (at + 1));
    const range = [Math.min(...cells), Math.max(...cells)];
    let start = 0;
    for (const [rows, columns] of run.levels) {
      greys(grids, { label: "pooled cells", side: 0.9 })(own.subarray(start, start + rows * columns), [rows, columns], range);
      start += rows * columns;
    }
  }

  return () => {
    const { picture } = w.values;
    scene.show(w.images[`picture ${picture}`], sizes[picture]);
    scene.clear();
    seconds(detectors.map(([name]) => runs[`${picture} ${name}`]), detectors.findIndex(([name]) => name === w.values.detector));
    row.hidden = count() === 0;
    if (!count()) return w.say("nothing is detected");
    const at = chosen();
    for (let i = count() - 1; i >= 0; i--) {
      if (i !== at) scene.boxes(read("boxes"), [i], { color: classColor(read("labels")[i]), width: 2, rim: true });
    }
    const { box, from, label } = walk(at, runs[key()]);
    scene.boxes(from, [0], { color: PALETTE.PROPOSAL, width: 3, dash: [7, 4], rim: true });
    scene.boxes(box, [0], { color: classColor(label), width: 5, rim: true });
    const title = `${names[label - 1]} ${fixed(read("scores")[names.length * at + label - 1])}`;
    scene.name(title, box[0], box[1]);
    w.say(`detection ${at + 1} of ${count()}: ${title} · solid: detection, dashed: its region`, `detection ${at + 1} of ${count()}: ${title}`);
  };
}

/** A picture that is drawn from; when it is there the widget is drawn again. */
function loaded(w, src) {
  const image = new Image();
  image.onload = () => w.redraw();
  image.src = src;
  return image;
}

/** A part [x, y, width, height] of a picture on a canvas of at most 120 pixels a side. */
function crop(canvas, image, [x, y, width, height]) {
  const scale = 120 / Math.max(width, height, 1);
  Object.assign(canvas, { width: Math.max(1, scale * width), height: Math.max(1, scale * height) });
  if (image.complete && image.naturalWidth) canvas.getContext("2d").drawImage(image, x, y, width, height, 0, 0, canvas.width, canvas.height);
}
