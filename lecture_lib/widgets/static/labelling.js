const [POSITIVE, IGNORED, NEGATIVE] = ["positive", "ignored", "negative"];

/** For each proposal its class (0 background, -1 ignored) and its IoU: `label_proposals` of the library. */
export function label(proposals, objects, rule) {
  const count = proposals.length / 4;
  const labels = new Int32Array(count).fill(-1);
  const best = new Float32Array(count);
  const overlaps = objects.map(({ box }) => best.map((_, r) => iou(proposals, r, box, 0)));
  const easy = objects.map((_, g) => g).filter((g) => !objects[g].difficult);
  const hard = objects.map((_, g) => g).filter((g) => objects[g].difficult);
  const highest = overlaps.map((overlap) => overlap.reduce((a, b) => Math.max(a, b), 0));
  const foreground = Math.fround(rule.foreground);
  const [low, high] = rule.background?.map(Math.fround) ?? [1, 0];
  for (let r = 0; r < count; r++) {
    let matched = -1;
    for (const g of easy) {
      if (overlaps[g][r] > best[r]) [best[r], matched] = [overlaps[g][r], g];
    }
    const near = hard.some((g) => overlaps[g][r] >= foreground);
    if (best[r] >= low && best[r] < high && !near) labels[r] = 0;
    const reaches = rule.best && easy.some((g) => highest[g] > 0 && overlaps[g][r] === highest[g]);
    if (best[r] >= foreground || reaches) labels[r] = objects[matched].label;
  }
  return { labels, iou: best };
}

/** Rows of a random mini-batch: `sample` of the library, with the browser's own random numbers. */
export function drawBatch(labels, { size, fraction, seed }) {
  const rows = [...labels.keys()];
  const random = generator(seed);
  const positive = shuffled(rows.filter((r) => labels[r] > 0), random).slice(0, Math.round(size * fraction));
  const negative = shuffled(rows.filter((r) => labels[r] === 0), random).slice(0, size - positive.length);
  return { positive, negative };
}

/** Numbers in 0..1 that a seed repeats: a linear congruential generator (Numerical Recipes). */
function generator(seed) {
  let state = seed >>> 0;
  const next = () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
  next();
  return next;
}

function shuffled(rows, random) {
  for (let i = rows.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [rows[i], rows[j]] = [rows[j], rows[i]];
  }
  return rows;
}

/** Thresholds after one of them moved: low <= high <= foreground. */
export function ordered(values, moved) {
  const { foreground, low, high } = values;
  if (moved === "foreground") return { foreground, high: Math.min(high, foreground), low: Math.min(low, foreground) };
  if (moved === "high") return { foreground: Math.max(foreground, high), high, low: Math.min(low, high) };
  return { foreground: Math.max(foreground, low), high: Math.max(high, low), low };
}

const key = (text, color) => element("span", { class: "lw-key", style: `--lw-key:${color}` }, text);

export default function widget(w) {
  const { names, size, presets, batch } = w.inputs;
  const { proposals, objects, labels: classes, difficult } = w.arrays;
  w.controlsBeside();
  const all = [...classes].map((label, g) => {
    return { label, difficult: Boolean(difficult[g]), box: objects.subarray(4 * g, 4 * g + 4) };
  });
  for (const { name, ...rule } of presets) w.button(name, () => w.assign({ ...rule, preset: name }), { "data-name": name });
  const present = [...new Set(classes)].sort((a, b) => a - b).map((label) => [label, names[label - 1]]);
  for (const [name, text] of [
    ["foreground", "positive from IoU"],
    ["high", "negative below IoU"],
    ["low", "negative from IoU"],
  ]) {
    w.slider(name, { label: text, min: name === "foreground" ? 0.05 : 0, max: 1, step: 0.05 });
    w.controls.lastChild.addEventListener("input", () => w.assign({ ...ordered(w.values, name), preset: "" }));
  }
  w.toggle("negatives", { label: "has negatives" });
  w.toggle("best", { label: "an object's best box is positive too" });
  w.choice("of", { label: "objects", options: [[0, "all"], ...present] });
  w.toggle("drawn", { label: "mini-batch" });
  w.button("draw another", () => w.assign({ seed: w.values.seed + 1, drawn: true }), { "data-name": "seed" });
  const scene = new Scene(w, w.images.picture, size);
  const legend = [["━ positive", "POSITIVE"], ["╍ ignored", "IGNORED"], ["─ negative", "NEGATIVE"], ["▢ object", "GROUND_TRUTH"]];
  w.line().append(...legend.map(([text, name]) => key(text, PALETTE[name])));

  function paint(groups, chosen) {
    const thin = { color: PALETTE.NEGATIVE, width: 0.8 };
    scene.clear();
    if (!chosen) {
      scene.boxes(proposals, groups[NEGATIVE], thin);
      scene.boxes(proposals, groups[IGNORED], { color: PALETTE.IGNORED, width: 1.2, dash: [6, 6] });
    } else scene.boxes(proposals, chosen.negative, { ...thin, width: 1.6 });
    const rows = chosen ? chosen.positive : groups[POSITIVE];
    scene.boxes(proposals, rows, { color: PALETTE.POSITIVE, width: 2, rim: true });
    for (const { box, label } of asked()) {
      scene.boxes(box, [0], { color: PALETTE.GROUND_TRUTH, width: 4, rim: true });
      scene.name(names[label - 1], box[0], box[1]);
    }
  }
  const asked = () => all.filter(({ label }) => !w.values.of || label === w.values.of);

  return () => {
    const { foreground, low, high, best, negatives, drawn, seed } = w.values;
    const { labels } = label(proposals, asked(), { foreground, best, background: negatives ? [low, high] : null });
    const groups = { [POSITIVE]: [], [IGNORED]: [], [NEGATIVE]: [] };
    labels.forEach((label, r) => groups[label > 0 ? POSITIVE : label < 0 ? IGNORED : NEGATIVE].push(r));
    const chosen = drawn ? drawBatch(labels, { ...batch, seed }) : null;
    paint(groups, chosen);
    const counts = Object.entries(groups).map(([name, rows]) => `${number(rows.length)} ${name}`);
    const pair = chosen ? ` · mini-batch ${chosen.positive.length} : ${chosen.negative.length}` : "";
    w.say(counts.join(" · ") + pair);
    for (const button of w.controls.querySelectorAll("button[data-name]")) {
      if (presets.some(({ name }) => name === button.dataset.name))
        button.setAttribute("aria-pressed", button.dataset.name === w.values.preset);
    }
  };
}
