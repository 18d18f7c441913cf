export default function widget(w) {
  const { size, ks, counts } = w.inputs;
  w.slider("step", { label: "k", min: 0, max: ks.length - 1, step: 1, format: (step) => String(ks[step]) });
  const scene = new Scene(w, w.images[w.values.step], size);
  return () => {
    const { step } = w.values;
    scene.show(w.images[step], size);
    w.say(`k = ${ks[step]}: ${number(counts[step])} ${counts[step] === 1 ? "region" : "regions"}`);
  };
}
