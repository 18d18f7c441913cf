const DOTS = 4000; // past so many the eye sees a plain area anyway

/** Round as Python does: a half goes to the even number. */
function roundEven(value) {
  const low = Math.floor(value);
  return value - low === 0.5 ? low + (low % 2) : Math.round(value);
}

/** [height, width] of a window in whole pixels: `SlidingWindow.shapes` of the library. */
export function shape(size, aspect) {
  return [size / Math.sqrt(aspect), size * Math.sqrt(aspect)].map((side) => Math.max(1, roundEven(side)));
}

/** How many windows there are below each other and side by side; their product is `count_windows` of the library. */
export function grid(imageSize, windowShape, stride) {
  return imageSize.map((side, axis) => Math.max(0, Math.floor((side - windowShape[axis]) / stride) + 1));
}

/** Window `index` in the order of `sliding_windows` of the library, as x1, y1, x2, y2. */
export function windowAt(index, columns, [height, width], stride) {
  const [x, y] = [(index % columns) * stride, Math.floor(index / columns) * stride];
  return [x, y, x + width, y + height];
}

const UNITS = [[365.25 * 86400, "years"], [86400, "days"], [3600, "hours"], [60, "minutes"]];

/** A time as one says it: "40 ms", "2.5 s", "3.1 minutes", "52 days". */
export function duration(seconds) {
  const short = (value) => String(Number(value.toPrecision(2)));
  if (seconds < 0.0995) return `${short(seconds * 1000)} ms`;
  if (seconds < 90) return `${short(seconds)} s`;
  const [size, unit] = UNITS.find(([size, unit]) => seconds >= 1.5 * size || unit === "minutes");
  const value = seconds / size;
  return `${value >= 10 ? Math.round(value).toLocaleString("en-US") : short(value)} ${unit}`;
}

export default function widget(w) {
  const { size: imageSize, sizes, aspects, seconds } = w.inputs;
  w.slider("size", { label: "size (pixels)", ...sizes });
  w.slider("stride", { label: "stride (pixels)", min: 1, max: 64, step: 1 });
  w.slider("along", { label: "slide it", min: 0, max: 1, step: 0.005, format: (part) => `${Math.round(100 * part)} %` });
  w.choice("aspect", { label: "shape", options: aspects });
  const scene = new Scene(w, w.images.picture, imageSize);

  /** A dot in the middle of each window. */
  function centres([rows, columns], [height, width], stride) {
    const { context, pen } = scene;
    const step = Math.max(1, Math.round(Math.sqrt((rows * columns) / DOTS)));
    const side = 5 * pen;
    context.fillStyle = PALETTE.ORANGE;
    for (let row = 0; row < rows; row += step)
      for (let column = 0; column < columns; column += step)
        context.fillRect(column * stride + (width - side) / 2, row * stride + (height - side) / 2, side, side);
  }

  return () => {
    const { size, stride, aspect, along } = w.values;
    const window = shape(size, aspect);
    const [rows, columns] = grid(imageSize, window, stride);
    const count = rows * columns;
    scene.clear();
    const named = `${window[1]} × ${window[0]}`;
    if (!count) return w.say(`0 windows: ${named} does not fit into the picture`);
    centres([rows, columns], window, stride);
    const shown = Math.round(along * (count - 1));
    scene.boxes(windowAt(shown, columns, window, stride), [0], { color: PALETTE.ORANGE, width: 4, rim: true });
    const [each, all] = [duration(seconds), duration(count * seconds)];
    const text = `${number(count)} windows of ${named}, ${each} each: ${all} to classify them`;
    w.say(text, `window ${number(shown + 1)} of ${text}`);
  };
}
