// What all widgets share. frame.py joins PALETTE, STYLE, this file, scene.js and NAME.js to one module; NAME.js has
// `export default function widget(w)`, which makes its controls and returns the function that draws `w.values`.

const TYPES = { float32: Float32Array, int32: Int32Array };
const PAUSE = 100; // ms without a move before the kernel is told: JupyterLab draws for every message of the kernel
const KEYS = { "data-lm-suppress-shortcuts": "true" }; // or JupyterLab takes the arrow keys of a focused element

/** An HTML element with attributes and children. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

/** An SVG element with attributes and text. */
export function svg(tag, attributes = {}, text = "") {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.textContent = text;
  return node;
}

/** A typed array, with its `shape`, of what `pack` made in Python: base64 on the page, a DataView from the kernel. */
export function decode({ dtype, shape, data }) {
  const bytes =
    typeof data === "string"
      ? Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0))
      : new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
  return Object.assign(new TYPES[dtype](bytes.buffer), { shape });
}

/** A number with `digits` decimals and a true minus sign. */
export const fixed = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** Whole numbers with a comma at thousands, others with `digits` decimals. */
export function number(value, digits = 2) {
  return Number.isInteger(value) ? value.toLocaleString("en-US").replace("-", "−") : fixed(value, digits);
}

/** How many of something there are: 1 box, 2 boxes. */
export const counted = (value, one, more) => `${number(value)} ${value === 1 ? one : more}`;

export const classColor = (label) => PALETTE.CYCLE[(label - 1) % PALETTE.CYCLE.length];

const f = Math.fround; // each step in float32, as PyTorch computes: the results are equal, bit for bit

/** Area of row `i` of boxes, in float32. */
export const area = (boxes, i) => f(f(boxes[4 * i + 2] - boxes[4 * i]) * f(boxes[4 * i + 3] - boxes[4 * i + 1]));

/** What row `i` of `a` and row `j` of `b` share, in square pixels of float32. */
export function intersection(a, i, b, j) {
  const width = f(Math.min(a[4 * i + 2], b[4 * j + 2]) - Math.max(a[4 * i], b[4 * j]));
  if (width <= 0) return 0;
  const height = f(Math.min(a[4 * i + 3], b[4 * j + 3]) - Math.max(a[4 * i + 1], b[4 * j + 1]));
  return height <= 0 ? 0 : f(width * height);
}

/** IoU of row `i` of `a` and row `j` of `b`: `boxes.iou` of the library. */
export function iou(a, i, b, j) {
  const shared = intersection(a, i, b, j);
  const union = f(f(area(a, i) + area(b, j)) - shared);
  return union > 0 ? f(shared / union) : 0;
}

/** One widget on the page: its data (`inputs`, `arrays`, `images`), the reader's `values`, and its controls. */
export class Frame {
  constructor(root, state) {
    Object.assign(this, { root, key: state.key, inputs: state.inputs, images: state.images });
    this.arrays = Object.fromEntries(Object.entries(state.arrays).map(([name, packed]) => [name, decode(packed)]));
    this.values = { ...state.values };
    this.asks = false; // whether Python answers every move; else it is told where the reader paused
    this.answer = null; // what Python said last
    this.draws = 0;
    this.showers = [];
    this.controls = element("div", { class: "lw-controls" });
    this.body = element("div", { class: "lw-body" });
    this.caption = element("div", { class: "lw-caption", "aria-live": "polite" });
    this.error = element("pre", { class: "lw-error", role: "alert", hidden: "" });
    root.setAttribute("role", "group");
    root.setAttribute("aria-label", state.label);
    root.replaceChildren(element("style", {}, STYLE), this.#larger(state.presenter), this.controls, this.body);
    root.append(this.caption, this.error);
  }

  /** A slider for `values[name]`; `format` makes the number beside it. */
  slider(name, { label, min, max, step, format = (value) => fixed(value, step < 1 ? 2 : 0) }) {
    const input = element("input", { type: "range", min, max, step, "data-name": name, ...KEYS });
    const shown = element("output");
    input.addEventListener("input", () => this.set(name, Number(input.value)));
    this.#control(element("label", { class: "lw-slider" }, element("span", {}, label), input, shown), () => {
      input.value = this.values[name];
      shown.value = format(this.values[name]);
      input.setAttribute("aria-valuetext", shown.value);
    });
    return input;
  }

  /** A checkbox for `values[name]`. */
  toggle(name, { label }) {
    const input = element("input", { type: "checkbox", "data-name": name, ...KEYS });
    input.addEventListener("change", () => this.set(name, input.checked));
    this.#control(element("label", { class: "lw-toggle" }, input, label), () => (input.checked = this.values[name]));
    return input;
  }

  /** A list to choose `values[name]` from `options`, pairs of value and text. */
  choice(name, { label, options }) {
    const select = element("select", { "data-name": name, ...KEYS });
    select.append(...options.map(([, text], row) => element("option", { value: row }, text)));
    select.addEventListener("change", () => this.set(name, options[Number(select.value)][0]));
    this.#control(element("label", { class: "lw-choice" }, element("span", {}, label), select), () => {
      select.value = options.findIndex(([value]) => value === this.values[name]);
    });
    return select;
  }

  button(text, action, attributes = {}) {
    const node = element("button", { type: "button", ...KEYS, ...attributes }, text);
    node.addEventListener("click", () => this.#guard(action));
    this.controls.append(node);
    return node;
  }

  /** On a projector the controls stand beside the drawing: for a widget that would be higher than the screen. */
  controlsBeside() {
    this.root.classList.add("lw-wide");
  }

  /** A line of text under the drawing, for numbers; give its `textContent`. */
  line() {
    return this.body.appendChild(element("div", { class: "lw-line" }));
  }

  /** Set one of the reader's values, draw soon, and tell the kernel, if there is one, once the reader pauses. */
  set(name, value) {
    this.assign({ [name]: value });
  }

  /** The same for several at once. */
  assign(values) {
    Object.assign(this.values, values);
    this.touched = true;
    this.redraw();
    clearTimeout(this.telling);
    this.telling = setTimeout(() => this.#tell(), this.asks ? 0 : PAUSE);
  }

  #tell() {
    if (!this.model) return;
    this.model.set("values", { ...this.values });
    this.model.save_changes();
  }

  /** State the result: the caption below, and the name that a screen reader and the tests read. */
  say(text, spoken = text) {
    this.caption.textContent = text;
    this.body.setAttribute("role", "group");
    this.body.setAttribute("aria-label", spoken);
  }

  /** Draw at the next frame, once however often this is called before it. */
  redraw() {
    this.waiting ??= requestAnimationFrame(() => {
      this.waiting = null;
      this.#guard(() => {
        // Asked before anything changes: no layout is needed. Taken off the page, a widget has no size of type.
        this.fontSize = parseFloat(getComputedStyle(this.root).fontSize) || 15;
        for (const show of this.showers) show();
        this.draw();
        this.draws += 1;
        this.error.hidden = true;
      });
    });
  }

  /** Meet the kernel's model, now or when it comes (bridge.js); without a kernel the widget works alone. */
  link() {
    const model = window.lectureModels?.[this.key];
    if (!model || model === this.model) return;
    this.model = model;
    model.on("change:values", () => this.#receive(model.get("values")));
    model.on("change:presenter", () => present(model.get("presenter")));
    model.on("change:answer", () => {
      this.answer = model.get("answer");
      this.redraw();
    });
    if (this.touched) this.assign({});
    else this.#receive(model.get("values"));
  }

  #receive(values) {
    if (JSON.stringify(values) === JSON.stringify(this.values)) return;
    Object.assign(this.values, values);
    this.redraw();
  }

  #control(node, show) {
    this.controls.append(node);
    this.showers.push(show);
  }

  #guard(action) {
    try {
      action();
    } catch (error) {
      this.error.textContent = `${error.name}: ${error.message}`;
      this.error.hidden = false;
    }
  }

  #larger(on) {
    const button = element("button", { type: "button", class: "lw-larger", title: "larger type", ...KEYS }, "A+");
    const show = (on) => {
      this.root.classList.toggle("lw-presenter", on);
      button.setAttribute("aria-pressed", on);
      button.setAttribute("aria-label", "larger type");
      if (this.draw) this.redraw();
    };
    button.addEventListener("click", () => present(!this.root.classList.contains("lw-presenter")));
    window.addEventListener("lecture-presenter", (event) => show(event.detail));
    show(on);
    return button;
  }
}

/** Larger type in every widget of the page. */
const present = (on) => window.dispatchEvent(new CustomEvent("lecture-presenter", { detail: on }));

/** Put a widget into `root` in place of its still picture, from the state that lies in there. */
export function start(root, state = JSON.parse(root.querySelector("script[type='application/json']").textContent)) {
  const w = new Frame(root, state);
  root.lecture = w;
  try {
    w.draw = widget(w);
  } catch (error) {
    w.draw = () => {
      throw error;
    };
  }
  window.addEventListener("lecture-model", () => w.link());
  w.link();
  w.redraw();
  return w;
}
