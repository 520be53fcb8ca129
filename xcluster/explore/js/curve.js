// The curve of the sample, from its 256 steps, and the centre of its label.
const i = hovered.data.sample[0];
const { level, low, step } = scale.data;
const n = level.length;
const label = samples.data[position][i];
const value = [], center = [];
for (let j = 0; j < n; j++) {
  const stored = samples.data[column][i * n + j];
  value.push(stored === 255 ? NaN : low[j] + step[j] * stored);
  center.push(label < centers.data.value.length / n ? centers.data.value[label * n + j] : NaN);
}
shown.data = { level: Array.from(level), value, center };
center_line.glyph.line_color = colors[label] ?? "gray";
