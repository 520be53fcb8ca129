// The curve of the sample, from its 256 steps, and the centre of its label.
const i = hovered.data.sample[0];
const { level, low, step } = scale.data;
const n = level.length;
const label = samples.data[position][i];
const known = label < centers.data.value.length / n;
const sample = [], middle = [];
for (let j = 0; j < n; j++) {
  const stored = samples.data[column][i * n + j];
  sample.push(stored === 255 ? NaN : low[j] + step[j] * stored);
  middle.push(known ? centers.data.value[label * n + j] : NaN);
}
// Single values are drawn as shares of their range, and said in their units.
const drawn = (values) => (names ? values.map((value, j) => (value - low[j]) / (254 * step[j] || 1)) : values);
const said = (values) => values.map((value) => (isNaN(value) ? "none" : String(+value.toPrecision(4))));
const name = names ?? Array.from(level, (value, j) => level_names[j] ?? String(+value.toPrecision(6)));
shown.data = {
  level: Array.from(level), value: drawn(sample), center: drawn(middle),
  name, sample: said(sample), middle: said(middle),
};
center_line.glyph.line_color = colors[label] ?? "gray";
center_dots.glyph.fill_color = colors[label] ?? "gray";
