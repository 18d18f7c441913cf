const FEW = 150; // dashes and rims of more boxes run into each other, and without a GPU they take ten times as long

/** A picture of (height, width) with a canvas for many boxes and an SVG for the few that can be dragged. */
export class Scene {
  constructor(w, uri, size) {
    this.w = w;
    this.image = element("img", { alt: "", draggable: "false" });
    this.canvas = element("canvas");
    this.svg = svg("svg");
    this.node = element("div", { class: "lw-scene" });
    this.node.append(this.image, this.canvas, this.svg);
    this.show(uri, size);
    w.body.append(this.node);
    new ResizeObserver(() => {
      this.shown = null;
      w.redraw();
    }).observe(this.node);
  }

  /** [width, height] on the screen: asked for once, as each question would lay the page out again within a frame. */
  get onScreen() {
    return (this.shown ??= [Math.max(1, this.node.clientWidth), Math.max(1, this.node.clientHeight)]);
  }

  /** Pixels of the picture in one of the screen. */
  get pixel() {
    return this.width / this.onScreen[0];
  }

  /** The same for lines and dots, which grow with the type. */
  get pen() {
    return (this.pixel * this.w.fontSize) / 15;
  }

  /** Another picture in this one's place. */
  show(uri, [height, width]) {
    if (this.uri === uri) return;
    Object.assign(this, { uri, width, height, shown: null });
    this.image.src = uri;
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
    this.node.style.aspectRatio = `${width}/${height}`;
  }

  /** Begin a new drawing; from here on the context is in the picture's pixels. */
  clear() {
    const ratio = window.devicePixelRatio;
    const [width, height] = this.onScreen.map((side) => Math.round(side * ratio));
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.context = this.canvas.getContext("2d");
    this.context.setTransform(1, 0, 0, 1, 0, 0);
    this.context.clearRect(0, 0, width, height);
    this.context.scale(ratio / this.pixel, ratio / this.pixel);
  }

  /** Draw the `rows` of boxes; `width` and `dash` are in screen pixels at the usual size of type, a rim keeps lines visible on any picture. */
  boxes(boxes, rows, { color, width = 2, dash = [], fill = null, rim = false }) {
    const { context, pen } = this;
    const each = (draw) => {
      for (const row of rows) {
        const [x, y] = [boxes[4 * row], boxes[4 * row + 1]];
        draw(x, y, boxes[4 * row + 2] - x, boxes[4 * row + 3] - y);
      }
    };
    const lines = (color, width, dash) => {
      const dashed = dash.length && rows.length <= FEW;
      context.setLineDash(dashed ? dash.map((length) => length * pen) : []);
      const lineJoin = "miter"; // "round", which names are written with, takes six times as long
      Object.assign(context, { strokeStyle: color, lineWidth: width * pen, lineJoin });
      each((...box) => (dashed ? strokeSides(context, box) : context.strokeRect(...box)));
    };
    context.fillStyle = fill;
    if (fill) each((...box) => context.fillRect(...box));
    if (rim && rows.length <= FEW) lines(PALETTE.PAPER, width + 2, []);
    if (width) lines(color, width, dash);
  }

  /** A few words at a place, legible on any ground. */
  name(text, x, y) {
    this.names([[text, x, y]]);
  }

  /** Several, the most important first: [words, x, y]; words that would run into earlier ones are left out. */
  names(all) {
    const { context } = this;
    const size = 0.95 * this.w.fontSize * this.pixel;
    context.font = `700 ${size}px system-ui, sans-serif`;
    context.setLineDash([]);
    Object.assign(context, { lineJoin: "round", lineWidth: size / 4, strokeStyle: PALETTE.PAPER, fillStyle: PALETTE.INK });
    const written = [];
    for (const [text, x, y] of all) {
      const long = context.measureText(text).width;
      const [left, base] = [Math.min(x + size / 5, this.width - long), Math.max(y, 0) + size];
      if (written.some((other) => Math.abs(other.base - base) < size && left < other.right && other.left < left + long)) continue;
      written.push({ left, base, right: left + long });
      context.strokeText(text, left, base);
      context.fillText(text, left, base);
    }
  }

  /** A box that the reader moves and resizes, by mouse or arrow keys (Shift: by 10); `values[name]` has its corners. */
  box(name, { color, label, dash = "" }) {
    const style = { fill: "transparent", stroke: color, "stroke-dasharray": dash, class: "lw-box" };
    const nodes = [
      this.#handle(svg("rect", style), name, ALL, `${label}: the whole box`),
      ...CORNERS.map(([x, y, where]) =>
        this.#handle(svg("circle", { fill: color, class: "lw-corner" }), name, [x, y], `${label}: ${where} corner`),
      ),
    ];
    this.w.showers.push(() => {
      const corners = this.w.values[name];
      const [x, y, right, bottom] = corners;
      const box = { x, y, width: right - x, height: bottom - y };
      for (const [attribute, value] of Object.entries(box)) nodes[0].setAttribute(attribute, value);
      CORNERS.forEach(([i, j], row) => {
        nodes[row + 1].setAttribute("cx", corners[i]);
        nodes[row + 1].setAttribute("cy", corners[j]);
        nodes[row + 1].setAttribute("r", 7 * this.pen);
      });
    });
  }

  /** Let the reader choose on the picture: `pick([x, y])` where the mouse is pressed, `step([dx, dy])` by an arrow key. */
  choose(name, { label, pick, step }) {
    const attributes = { tabindex: 0, role: "application", "aria-label": label, "data-name": name, ...KEYS };
    for (const [attribute, value] of Object.entries(attributes)) this.svg.setAttribute(attribute, value);
    this.svg.style.cursor = "pointer";
    this.svg.addEventListener("keydown", (event) => {
      if (!ARROWS[event.key]) return;
      event.preventDefault();
      step(ARROWS[event.key]);
    });
    this.svg.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      this.svg.focus({ preventScroll: true });
      const frame = this.node.getBoundingClientRect();
      pick([(event.clientX - frame.left) * this.pixel, (event.clientY - frame.top) * this.pixel]);
    });
  }

  #handle(node, name, sides, label) {
    const attributes = { tabindex: 0, role: "button", "aria-label": label, "data-name": name, ...KEYS };
    for (const [attribute, value] of Object.entries(attributes)) node.setAttribute(attribute, value);
    const from = { size: [this.height, this.width] };
    const move = (dx, dy) => this.w.set(name, movedBox(from.box, sides, [dx, dy], from.size));
    node.addEventListener("keydown", (event) => {
      const [x, y] = ARROWS[event.key] ?? [0, 0];
      if (!x && !y) return;
      event.preventDefault();
      from.box = this.w.values[name];
      move(x * (event.shiftKey ? 10 : 1), y * (event.shiftKey ? 10 : 1));
    });
    node.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      node.focus({ preventScroll: true });
      node.setPointerCapture(event.pointerId);
      Object.assign(from, { box: this.w.values[name], x: event.clientX, y: event.clientY });
    });
    node.addEventListener("pointermove", (event) => {
      if (!node.hasPointerCapture(event.pointerId)) return;
      move((event.clientX - from.x) * this.pixel, (event.clientY - from.y) * this.pixel);
    });
    this.svg.append(node);
    return node;
  }
}

/** A rectangle as four lines: each begins with a dash, and without a GPU they are drawn twice as fast as around it. */
function strokeSides(context, [x, y, width, height]) {
  const [right, bottom] = [x + width, y + height];
  const line = (fromX, fromY, toX, toY) => {
    context.beginPath();
    context.moveTo(fromX, fromY);
    context.lineTo(toX, toY);
    context.stroke();
  };
  line(x, y, right, y);
  line(x, bottom, right, bottom);
  line(x, y, x, bottom);
  line(right, y, right, bottom);
}

const ALL = [0, 1, 2, 3];
const CORNERS = [
  [0, 1, "upper left"],
  [2, 1, "upper right"],
  [0, 3, "lower left"],
  [2, 3, "lower right"],
];
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** A box whose `sides` (indices of its corners' numbers) moved, in whole pixels, inside (height, width), never empty. */
export function movedBox(box, sides, [dx, dy], [height, width]) {
  const step = [Math.round(dx), Math.round(dy)];
  const limit = [width, height];
  const moved = box.slice();
  if (sides.length === 4) {
    for (const axis of [0, 1]) {
      const by = Math.min(Math.max(step[axis], -box[axis]), limit[axis] - box[axis + 2]);
      moved[axis] += by;
      moved[axis + 2] += by;
    }
    return moved;
  }
  for (const side of sides) {
    const axis = side % 2;
    const [low, high] = side < 2 ? [0, box[axis + 2] - 1] : [box[axis] + 1, limit[axis]];
    moved[side] = Math.min(Math.max(box[side] + step[axis], low), high);
  }
  return moved;
}

/** A line of numbers from `min` to `max` with named `marks` ([value, text]); returns the function that shows a value. */
export function numberLine(w, { label, min, max, marks }) {
  const place = (value) => 20 + (360 * (Math.min(Math.max(value, min), max) - min)) / (max - min);
  const node = svg("svg", { viewBox: "0 0 400 62", class: "lw-numbers", role: "img" });
  node.append(svg("line", { x1: 20, x2: 380, y1: 34, y2: 34 }));
  for (const [value, text] of marks) {
    node.append(svg("line", { x1: place(value), x2: place(value), y1: 28, y2: 40 }));
    node.append(svg("text", { x: place(value), y: 56 }, text));
  }
  const pointer = svg("path", { d: "M0 30l-8 -14h16z", fill: PALETTE.ORANGE });
  node.append(pointer);
  w.body.append(node);
  return (value) => {
    pointer.setAttribute("transform", `translate(${place(value)} 0)`);
    node.setAttribute("aria-label", `${label} ${number(value)}`);
  };
}

/** Numbers as grey squares of `side` em; returns the function that shows a grid of them, on a scale from low to high. */
export function greys(parent, { label, side = 1.3 }) {
  const canvas = element("canvas", { class: "lw-greys", role: "img" });
  parent.append(canvas);
  return (values, [rows, columns], [low, high]) => {
    const pixels = new Uint8ClampedArray(4 * rows * columns).fill(255);
    values.forEach((value, i) => pixels.fill((255 * (value - low)) / Math.max(high - low, 1e-6), 4 * i, 4 * i + 3));
    Object.assign(canvas, { width: columns, height: rows });
    canvas.style.width = `${side * columns}em`;
    canvas.getContext("2d").putImageData(new ImageData(pixels, columns, rows), 0, 0);
    canvas.setAttribute("aria-label", `${label}: ${rows} by ${columns} numbers`);
  };
}

/** Named bars; returns the function that shows rows of [name, parts, text, chosen], a part is [share of the width, color]. */
export function bars(parent) {
  const node = element("div", { class: "lw-bars" });
  parent.append(node);
  const part = ([share, color]) => element("i", { style: `width:${100 * Math.max(0, share)}%;background:${color}` });
  return (rows) => {
    const cells = rows.flatMap(([name, parts, text, chosen]) => {
      const [before, after] = [name, text].map((said) => element("span", { class: chosen ? "lw-chosen" : "" }, said));
      return [before, element("span", { class: "lw-bar" }, ...parts.map(part)), after];
    });
    node.replaceChildren(...cells);
  };
}
