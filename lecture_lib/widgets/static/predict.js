/** As the library says a number: 1,234, 12.3, 0.0123. */
export function short(value) {
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

/** How far a guess is from the truth, in words; a tenth off is close. */
export function verdict(guess, truth) {
  if (guess === truth) return "— exactly.";
  if (guess * truth <= 0) return "";
  const times = Math.max(guess / truth, truth / guess);
  if (times <= 1.1) return "— your guess is close.";
  const ratio = times < 10 ? times.toFixed(1).replace(".0", "") : short(times);
  return `— your guess is ${ratio} times too ${Math.abs(guess) > Math.abs(truth) ? "high" : "low"}.`;
}

export default function widget(w) {
  const { question, answer, unit } = w.inputs;
  w.controls.before(element("div", { class: "lw-question" }, `Predict first. ${question}`));
  const guess = element("input", { type: "number", step: "any", "aria-label": "my guess", "data-name": "guess", ...KEYS });
  guess.placeholder = "my guess";
  guess.addEventListener("input", () => w.assign({ guess: guess.value === "" ? null : Number(guess.value), revealed: false }));
  guess.addEventListener("keydown", (event) => event.key === "Enter" && w.set("revealed", true));
  w.controls.append(guess);
  w.button("Reveal", () => w.set("revealed", true), { "data-name": "reveal" });
  w.showers.push(() => {
    if (Number(guess.value) !== w.values.guess) guess.value = w.values.guess ?? "";
  });
  return () => {
    const { guess, revealed } = w.values;
    const told = guess === null ? "" : verdict(guess, answer);
    w.say(revealed ? `${short(answer)} ${unit} ${told}`.trim() : "", revealed ? `answer ${short(answer)} ${unit}` : "not revealed");
  };
}
