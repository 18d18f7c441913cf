/** The areas of two boxes, of what they share and of what they cover, and their IoU. */
export function measure(a, b) {
  const boxes = Float32Array.from([...a, ...b]);
  const shared = intersection(boxes, 0, boxes, 1);
  const [areaA, areaB] = [area(boxes, 0), area(boxes, 1)];
  return { areaA, areaB, shared, union: areaA + areaB - shared, iou: iou(boxes, 0, boxes, 1) };
}

export default function widget(w) {
  const scene = new Scene(w, w.images.picture, w.inputs.size);
  scene.box("a", { color: PALETTE.BLUE, label: "box A" });
  scene.box("b", { color: PALETTE.ORANGE, label: "box B", dash: "9 5" });
  w.controls.append("Drag a box or a corner; or Tab to it and press the arrow keys (Shift: ten pixels).");
  const formula = w.line();
  const point = numberLine(w, {
    label: "IoU",
    min: 0,
    max: 1,
    marks: [0, 0.3, 0.5, 0.7, 1].map((value) => [value, String(value)]),
  });
  return () => {
    const { a, b } = w.values;
    const { areaA, areaB, shared, union, iou } = measure(a, b);
    const both = Float32Array.from([...a, ...b, ...overlapBox(a, b)]);
    scene.clear();
    scene.boxes(both, [0], { color: PALETTE.BLUE, width: 0, fill: PALETTE.BLUE + "40" });
    scene.boxes(both, [1], { color: PALETTE.ORANGE, width: 0, fill: PALETTE.ORANGE + "40" });
    if (shared > 0) scene.boxes(both, [2], { color: PALETTE.INK, width: 2, fill: PALETTE.GREEN + "b0" });
    scene.name(`A ${number(areaA)}`, a[0], a[1]);
    scene.name(`B ${number(areaB)}`, b[0], b[1]);
    const roomy = both[11] - both[9] > 0.1 * w.inputs.size[0]; // lower, the name would cover that of a box
    if (shared > 0 && roomy) scene.name(`share ${number(shared)}`, both[8], both[9] + (both[11] - both[9]) / 2);
    formula.textContent = `union = ${number(areaA)} + ${number(areaB)} − ${number(shared)} = ${number(union)} pixels`;
    w.say(`IoU = intersection / union = ${number(shared)} / ${number(union)} = ${iou.toFixed(3)}`);
    point(iou);
  };
}

/** The box that two boxes share; it is turned inside out where they share none. */
const overlapBox = (a, b) => a.map((side, i) => (i < 2 ? Math.max(side, b[i]) : Math.min(side, b[i])));
