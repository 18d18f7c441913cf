/** Centre x, y, width and height of a box, in float32. */
export function centerAndSize([left, top, right, bottom]) {
  const [width, height] = [f(right - left), f(bottom - top)];
  return [f(left + f(width / 2)), f(top + f(height / 2)), width, height];
}

/** The deltas that move a proposal onto an object: `BoxCoder().encode` of the library. */
export function encodeBox(proposal, object) {
  const [px, py, pw, ph] = centerAndSize(proposal);
  const [gx, gy, gw, gh] = centerAndSize(object);
  return [f(f(gx - px) / pw), f(f(gy - py) / ph), f(Math.log(f(gw / pw))), f(Math.log(f(gh / ph)))];
}

/** A proposal moved by deltas; `limit` keeps exp() finite: `BoxCoder().decode` of the library. */
export function decodeBox(proposal, [tx, ty, tw, th], limit) {
  const [px, py, pw, ph] = centerAndSize(proposal);
  const [x, y] = [f(px + f(pw * tx)), f(py + f(ph * ty))];
  const [halfWidth, halfHeight] = [[pw, tw], [ph, th]].map(([side, t]) => {
    return f(f(side * f(Math.exp(Math.min(t, f(limit))))) / 2);
  });
  return [f(x - halfWidth), f(y - halfHeight), f(x + halfWidth), f(y + halfHeight)];
}

/** Text and <sub> elements of a formula like t_x = 1. */
const typeset = (text) => text.split(/_(.)/).map((part, i) => (i % 2 ? element("sub", {}, part) : part));
const signed = (value) => (value < 0 ? "−" : "+") + Math.abs(value).toFixed(2);

export default function widget(w) {
  const scene = new Scene(w, w.images.picture, w.inputs.size);
  scene.box("object", { color: PALETTE.GROUND_TRUTH, label: "object" });
  scene.box("proposal", { color: PALETTE.PROPOSAL, label: "proposal" });
  const percent = (value) => `${Math.round(100 * value)} %`;
  w.slider("done", { label: "part of the deltas", min: 0, max: 1, step: 0.01, format: percent });
  const lines = ["x", "y", "w", "h"].map(() => w.line());
  for (const line of lines) line.style.cssText = "font-size: 110%; padding-block: 0";

  function formulas(from, to, deltas) {
    const [p, g] = [from, to].map((box) => centerAndSize(box).map((value) => number(value, 1)));
    const texts = [
      `t_x = (G_x − P_x) / P_w = (${g[0]} − ${p[0]}) / ${p[2]}`,
      `t_y = (G_y − P_y) / P_h = (${g[1]} − ${p[1]}) / ${p[3]}`,
      `t_w = log(G_w / P_w) = log(${g[2]} / ${p[2]})`,
      `t_h = log(G_h / P_h) = log(${g[3]} / ${p[3]})`,
    ];
    lines.forEach((line, i) => {
      line.replaceChildren(...typeset(`${texts[i]} = `), element("b", {}, signed(deltas[i])));
    });
  }

  return () => {
    const { proposal, object, done } = w.values;
    const deltas = encodeBox(proposal, object);
    const moved = decodeBox(proposal, deltas.map((t) => f(t * f(done))), w.inputs.limit);
    scene.clear();
    scene.boxes(moved, [0], { color: PALETTE.DETECTION, width: 4, rim: true });
    scene.name("object", object[0], object[1]);
    scene.name("proposal", proposal[0], proposal[3]);
    formulas(proposal, object, deltas);
    const [before, after] = [iou(proposal, 0, object, 0), iou(moved, 0, object, 0)];
    w.say(`${percent(done)} of the deltas: IoU ${before.toFixed(2)} before, ${after.toFixed(2)} after`);
  };
}
