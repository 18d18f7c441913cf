/** A box grown so that, warped to `side` pixels, `context` of them surround it: `with_context` of the library. */
export function withContext([left, top, right, bottom], side, context) {
  const grow = side / (side - 2 * context);
  const [x, y] = [(left + right) / 2, (top + bottom) / 2];
  const [w, h] = [((right - left) / 2) * grow, ((bottom - top) / 2) * grow];
  return [x - w, y - h, x + w, y + h];
}

/** A window of an RGBA picture as a square of `side` pixels, with `fill` (0..1) outside: `warp_regions` of the library. */
export function warp(pixels, [height, width], [left, top, right, bottom], side, fill) {
  const square = new Uint8ClampedArray(4 * side * side).fill(255);
  const at = (x, y, c) => (x < 0 || y < 0 || x >= width || y >= height ? 255 * fill[c] : pixels[4 * (y * width + x) + c]);
  for (let row = 0; row < side; row++) {
    const y = top + ((bottom - top) * (row + 0.5)) / side - 0.5; // of pixel centres
    const y0 = Math.floor(y);
    const v = y - y0;
    for (let column = 0; column < side; column++) {
      const x = left + ((right - left) * (column + 0.5)) / side - 0.5;
      const x0 = Math.floor(x);
      const u = x - x0;
      const within = x0 >= 0 && y0 >= 0 && x0 + 1 < width && y0 + 1 < height; // so are most, which are read without asking
      for (let c = 0; c < 3; c++) {
        const i = 4 * (y0 * width + x0) + c;
        const below = i + 4 * width;
        const upper = within ? (1 - u) * pixels[i] + u * pixels[i + 4] : (1 - u) * at(x0, y0, c) + u * at(x0 + 1, y0, c);
        const lower = within
          ? (1 - u) * pixels[below] + u * pixels[below + 4]
          : (1 - u) * at(x0, y0 + 1, c) + u * at(x0 + 1, y0 + 1, c);
        square[4 * (row * side + column) + c] = Math.round((1 - v) * upper + v * lower);
      }
    }
  }
  return square;
}

/** The part of a window that lies outside the picture, 0..1. */
export function outside([left, top, right, bottom], [height, width]) {
  const inside = [Math.min(right, width) - Math.max(left, 0), Math.min(bottom, height) - Math.max(top, 0)];
  return 1 - (Math.max(0, inside[0]) * Math.max(0, inside[1])) / ((right - left) * (bottom - top));
}

/** Calls `done` with the RGBA pixels of a picture of (height, width), once it is decoded. */
function readPixels(uri, [height, width], done) {
  const image = new Image();
  image.onload = () => {
    const context = element("canvas", { width, height }).getContext("2d");
    context.drawImage(image, 0, 0, width, height);
    done(context.getImageData(0, 0, width, height).data);
  };
  image.src = uri;
}

export default function widget(w) {
  const { size, side, fill, names, of } = w.inputs;
  const { proposals, scores } = w.arrays;
  w.asks = names.length > 0;
  const last = proposals.length / 4 - 1;
  const choose = w.slider("number", { label: "proposal", min: 0, max: Math.max(0, last), step: 1 });
  choose.addEventListener("input", () => {
    const from = 4 * w.values.number;
    if (last >= 0) w.set("region", [...proposals.subarray(from, from + 4)]);
  });
  w.slider("context", { label: "context (pixels)", min: 0, max: Math.floor(side / 3), step: 1 });
  const scene = new Scene(w, w.images.picture, size);
  scene.box("region", { color: PALETTE.PROPOSAL, label: "region" });
  const square = new Scene(w, "data:,", [side, side]);
  square.image.remove();
  const row = element("div", { class: "lw-row" }, scene.node, square.node);
  square.node.style.flex = "0 1 14em";
  const layer = element("canvas", { width: side, height: side });
  w.body.append(row);
  const said = w.line();
  let pixels = null;
  readPixels(w.images.picture, size, (read) => {
    pixels = read;
    w.redraw();
  });

  function drawSquare(window, context) {
    square.clear();
    if (!pixels) return;
    layer.getContext("2d").putImageData(new ImageData(warp(pixels, size, window, side, fill), side, side), 0, 0);
    square.context.drawImage(layer, 0, 0);
    const region = [context, context, side - context, side - context];
    square.boxes(region, [0], { color: PALETTE.PROPOSAL, width: 2, rim: true });
  }

  /** The network's best scores for this square, as far as Python has told them. */
  function prediction(asked) {
    if (!names.length) return "";
    const told = w.answer ? { of: w.answer.of, scores: decode(w.answer.scores) } : { of, scores };
    if (JSON.stringify(told.of) !== JSON.stringify(asked))
      return w.model ? "the network looks …" : "the network answers while a kernel runs";
    const order = [...told.scores.keys()].sort((i, j) => told.scores[j] - told.scores[i]).slice(0, 3);
    return `the network says: ${order.map((i) => `${names[i]} ${fixed(told.scores[i])}`).join(" · ")}`;
  }

  return () => {
    const { region, context } = w.values;
    const window = withContext(region, side, context);
    scene.clear();
    scene.boxes(window, [0], { color: PALETTE.ORANGE, width: 2, dash: [6, 4], rim: true });
    drawSquare(window, context);
    said.textContent = prediction([...region, context]);
    const [width, height] = [region[2] - region[0], region[3] - region[1]];
    const stretch = Math.max(width, height) / Math.min(width, height);
    const filled = outside(window, size);
    const filling = filled > 0.005 ? ` · ${Math.round(100 * filled)} % of it is filling` : "";
    const stretched = `context ${context}, stretched ${stretch.toFixed(1)} to 1`;
    w.say(`${number(width, 0)} × ${number(height, 0)} becomes ${side} × ${side}: ${stretched}${filling}`);
  };
}
