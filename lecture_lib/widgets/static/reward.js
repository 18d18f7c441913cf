/** Networks by MnasNet's reward ACC * (LAT / T)^w, the best first. */
export function ranking(rivals, { weight, target }) {
  const reward = ({ accuracy, milliseconds }) => accuracy * (milliseconds / target) ** weight;
  return rivals.map((rival) => ({ ...rival, reward: reward(rival) })).sort((a, b) => b.reward - a.reward);
}

export default function widget(w) {
  w.slider("weight", { label: "exponent w", min: -1, max: 0, step: 0.01 });
  w.slider("target", { label: "target T, ms", min: 1, max: w.inputs.longest, step: 1 });
  const panel = w.body.appendChild(element("div", { class: "lw-bars" }));
  return () => {
    const ranked = ranking(w.inputs.rivals, w.values);
    const [best] = ranked;
    const rows = ranked.flatMap(({ name, accuracy, milliseconds, reward }) => {
      const color = name === best.name ? PALETTE.BLUE : PALETTE.MUTED;
      const bar = element("i", { style: `background:${color};width:${(100 * reward) / best.reward}%` });
      const note = `${reward.toFixed(1)} (${accuracy.toFixed(1)} % at ${milliseconds.toFixed(1)} ms)`;
      return [element("span", {}, name), element("span", { class: "lw-bar" }, bar), element("span", {}, note)];
    });
    panel.replaceChildren(...rows);
    w.say(`best reward: ${best.name}, ${best.reward.toFixed(1)}`);
  };
}
