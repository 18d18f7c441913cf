// The part of a widget that the kernel's model runs: it lends the model to the drawing with the same key (shared.js).
export default {
  initialize({ model }) {
    const key = model.get("key");
    (window.lectureModels ??= {})[key] = model;
    window.dispatchEvent(new CustomEvent("lecture-model", { detail: key }));
    return () => delete window.lectureModels[key];
  },
};
