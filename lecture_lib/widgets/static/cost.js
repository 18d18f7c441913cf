/** A scaled number of channels as a multiple of 8: `round_channels` of the library. */
export function roundChannels(channels) {
  const rounded = Math.max(8, 8 * Math.floor(Math.floor(channels + 4) / 8));
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

/** The convolutions of a network with its widths and repeats multiplied, in order; stage 0 is the stem. */
export function convolutions({ blocks, stem, head }, width, depth) {
  const layers = [];
  let [channels, block] = [3, 0];
  const add = (stage, out, { kernel = 1, stride = 1, depthwise = false } = {}) => {
    layers.push({ stage, block, inputs: depthwise ? 1 : channels, out, kernel, stride, depthwise });
    channels = out;
  };
  add(0, roundChannels(stem * width), { kernel: 3, stride: 2 });
  blocks.forEach(({ kernel, stride: first, expansion, out_channels, repeats, operation }, row) => {
    const out = roundChannels(out_channels * width);
    for (let repeat = 0; repeat < Math.ceil(repeats * depth); repeat++) {
      block += 1;
      const stride = repeat ? 1 : first;
      const wide = operation === "inverted" ? channels * expansion : channels;
      if (wide > channels) add(row + 1, wide);
      add(row + 1, wide, { kernel, stride, depthwise: true });
      add(row + 1, out);
    }
  });
  block += 1;
  if (head) add(null, roundChannels(head * Math.max(width, 1)));
  return layers;
}

/** What a scaled network costs on a square image: `scaled_cost`, `work` and `block_costs` of the library. */
export function costOf(network, { width, depth, side }) {
  const found = { multiplyAdds: 0, parameters: 0, depthwise: 0, written: 0, blocks: [] };
  const layers = convolutions(network, width, depth);
  for (const { stage, block, inputs, out, kernel, stride, depthwise } of layers) {
    side = Math.ceil(side / stride);
    const weights = inputs * out * kernel ** 2;
    const multiplyAdds = weights * side ** 2;
    found.multiplyAdds += multiplyAdds;
    if (depthwise) found.depthwise += multiplyAdds;
    found.parameters += weights + 2 * out; // and BatchNorm's scale and shift
    found.written += 2 * out * side ** 2; // by the convolution and by BatchNorm
    if (stage === null) continue;
    const before = found.blocks[block]?.multiplyAdds ?? 0;
    found.blocks[block] = { stage, side, channels: out, multiplyAdds: before + multiplyAdds };
  }
  const last = layers.at(-1).out;
  found.multiplyAdds += last * network.classes;
  found.parameters += (last + 1) * network.classes;
  found.written += network.classes;
  return found;
}

/** Estimated milliseconds: `TimeModel.milliseconds` of the library. */
export function milliseconds({ multiplyAdds, depthwise, written }, rates) {
  return ((multiplyAdds - depthwise) * rates[0] + depthwise * rates[1] + written * rates[2]) / 1e6;
}

const WIDTH = 640;
const AIR = 40; // thickness, in channels, of the air between two blocks; more between stages
const short = (value) => (value >= 1000 ? Math.round(value).toLocaleString("en-US") : String(Number(value.toPrecision(3))));

/** Feature maps at a fixed scale: height = side, thickness = channels, the darker the more multiply-adds. */
function silhouette(blocks, across) {
  const darkest = Math.max(...blocks.map(({ multiplyAdds }) => multiplyAdds));
  let [x, previous] = [0, 0];
  return blocks.map(({ stage, side, channels, multiplyAdds }) => {
    x += AIR * (stage === previous ? 1 : 2.5);
    const place = { x: x * across, y: 68 - side / 2, width: Math.max(1.5, channels * across), height: side, rx: 1 };
    [x, previous] = [x + channels, stage];
    const opacity = 0.15 + 0.85 * (multiplyAdds / darkest);
    return svg("rect", { ...place, style: `fill:var(--lw-accent);fill-opacity:${opacity}` });
  });
}

/** One bar against the unscaled network's, which the mark stands for. */
function bar(y, { name, color, value, full, unit }) {
  const [left, whole] = [165, 80];
  const length = (value / full) * whole;
  const ink = "fill:var(--lw-ink);font:600 15px system-ui,sans-serif";
  const text = `${short(value)} ${unit} (×${(value / full).toFixed(2)})`;
  return [
    svg("text", { x: 0, y: y + 18, style: ink }, name),
    svg("rect", { x: left, y, width: whole, height: 26, rx: 3, style: "fill:var(--lw-grid)" }),
    svg("rect", { x: left, y, width: length, height: 26, rx: 3, fill: color }),
    svg("rect", { x: left + whole - 1, y: y - 3, width: 2, height: 32, style: "fill:var(--lw-muted)" }),
    svg("text", { x: left + Math.max(length, whole) + 8, y: y + 18, style: ink }, text),
  ];
}

export default function widget(w) {
  const { networks, rates } = w.inputs;
  w.choice("network", { label: "network", options: Object.keys(networks).map((name) => [name, name]) });
  w.slider("width", { label: "width multiplier α", min: 0.25, max: 1.25, step: 0.05 });
  w.slider("side", { label: "input side, pixels", min: 96, max: 256, step: 16 });
  w.slider("depth", { label: "depth multiplier", min: 0.5, max: 1.5, step: 0.25 });
  const node = svg("svg", { viewBox: `0 0 ${WIDTH} 262`, style: "width:100%;display:block" });
  w.body.append(node);

  return () => {
    const network = networks[w.values.network];
    const [now, unscaled] = [costOf(network, w.values), costOf(network, { width: 1, depth: 1, side: 224 })];
    const million = (name, key, color) => {
      return { name, color, value: now[key] / 1e6, full: unscaled[key] / 1e6, unit: "million" };
    };
    const [value, full] = [milliseconds(now, rates), milliseconds(unscaled, rates)];
    const rows = [
      million("multiply-adds", "multiplyAdds", PALETTE.BLUE),
      million("parameters", "parameters", PALETTE.GREEN),
      { name: "time, estimated", color: PALETTE.ORANGE, value, full, unit: "ms" },
    ];
    const bars = rows.flatMap((row, i) => bar(150 + 38 * i, row));
    node.replaceChildren(...silhouette(now.blocks, network.across), ...bars);
    const spoken = rows.map(({ name, value, unit }) => `${name} ${short(value)} ${unit}`).join(", ");
    w.say("", spoken);
  };
}
