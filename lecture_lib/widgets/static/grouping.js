/** A label map from its runs: value, how often, value, how often ... */
export function unroll(values, lengths) {
  const labels = new Int32Array(lengths.reduce((sum, length) => sum + length, 0));
  let from = 0;
  values.forEach((value, i) => labels.fill(value, from, (from += lengths[i])));
  return labels;
}

/** For each of the first regions, the region that it belongs to after `done` merges. */
export function rootsAfter(merges, regions, done) {
  const root = Int32Array.from({ length: regions + done }, (_, region) => region);
  for (let i = done - 1; i >= 0; i--) root[merges[2 * i]] = root[merges[2 * i + 1]] = root[regions + i];
  return root.subarray(0, regions);
}

/** For each object the best IoU with the boxes 0..r, in row r: what has been reached once region r is there. */
export function bestSoFar(boxes, objects) {
  const count = objects.length / 4;
  const best = new Float32Array((boxes.length / 4) * count);
  for (let r = 0; r < boxes.length / 4; r++)
    for (let g = 0; g < count; g++)
      best[r * count + g] = Math.max(r ? best[(r - 1) * count + g] : 0, iou(objects, g, boxes, r));
  return best;
}

/** The regions as RGBA pixels: in their colours with white borders, or (`colors` null) the borders alone. */
export function paint(labels, roots, [height, width], colors) {
  const own = labels.map((label) => roots[label]);
  const pixels = new Uint32Array(own.length);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const border = (x + 1 < width && own[i] !== own[i + 1]) || (y + 1 < height && own[i] !== own[i + width]);
      if (border) pixels[i] = 0xffffffff;
      else if (colors) {
        const c = 3 * own[i];
        pixels[i] = (255 << 24) | (colors[c + 2] << 16) | (colors[c + 1] << 8) | colors[c];
      }
    }
  return new Uint8ClampedArray(pixels.buffer);
}

const PARTS = [["colour", "BLUE"], ["texture", "ORANGE"], ["size", "PURPLE"], ["fill", "BROWN"]];

export default function widget(w) {
  const { size, regions } = w.inputs;
  const { merges, boxes, colors, parts, objects } = w.arrays;
  const labels = unroll(w.arrays.values, w.arrays.lengths);
  const best = bestSoFar(boxes, objects);
  w.controlsBeside();
  const count = objects.length / 4;
  w.slider("merges", { label: "merges done", min: 0, max: merges.length / 2, step: 1 });
  w.choice("show", { label: "regions as", options: [["colors", "mean colours"], ["borders", "borders on the picture"]] });
  w.toggle("all", { label: "all boxes so far" });
  const scene = new Scene(w, w.images.picture, size);
  const layer = element("canvas", { width: size[1], height: size[0] });
  const panel = w.body.appendChild(element("div", { class: "lw-bars" }));
  const bars = PARTS.map(([name, color]) => {
    const [bar, value] = [element("i", { style: `background:${PALETTE[color]}` }), element("span")];
    panel.append(name, element("span", { class: "lw-bar" }, bar), value);
    return { bar, value };
  });

  function regionsAfter(done) {
    const shown = paint(labels, rootsAfter(merges, regions, done), size, w.values.show === "colors" ? colors : null);
    layer.getContext("2d").putImageData(new ImageData(shown, size[1], size[0]), 0, 0);
    scene.context.imageSmoothingEnabled = false;
    scene.context.drawImage(layer, 0, 0);
  }

  /** Why the last two regions were merged. */
  function reason(done) {
    bars.forEach(({ bar, value }, part) => {
      const similarity = done ? parts[5 * (done - 1) + part] : 0;
      bar.style.width = `${100 * similarity}%`;
      value.textContent = done ? similarity.toFixed(2) : "–";
    });
    return done ? ` · similarity ${parts[5 * done - 1].toFixed(2)}` : "";
  }

  return () => {
    const done = w.values.merges;
    const last = regions + done - 1;
    const reached = [...Array(count).keys()].filter((g) => best[last * count + g] >= 0.5);
    scene.clear();
    regionsAfter(done);
    if (w.values.all) scene.boxes(boxes, [...Array(last + 1).keys()], { color: PALETTE.PROPOSAL, width: 0.8 });
    scene.boxes(objects, reached, { color: PALETTE.GROUND_TRUTH, width: 4, rim: true });
    if (done) {
      scene.boxes(boxes, [merges[2 * done - 2], merges[2 * done - 1]], { color: PALETTE.SKY, width: 2, dash: [6, 4], rim: true });
      scene.boxes(boxes, [last], { color: PALETTE.DETECTION, width: 4, rim: true });
    }
    const left = regions - done;
    const recall = count ? ` · ${reached.length} of ${count} objects reached` : "";
    const numbers = `${counted(left, "region", "regions")} · ${counted(last + 1, "box", "boxes")} so far${recall}`;
    w.say(numbers + reason(done));
  };
}
