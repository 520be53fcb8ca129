// The field of the sample, from its 256 steps, and the centre of its label.
const i = hovered.data.sample[0];
const { low, step } = scale.data;
const n = low.length;
const label = samples.data[position][i];
const field = own.data.image[0], center = middle.data.image[0];
for (let j = 0; j < n; j++) {
  const stored = samples.data[column][i * n + j];
  field[j] = stored === 255 ? NaN : low[j] + step[j] * stored;
  center[j] = label < centers.data.value.length / n ? centers.data.value[label * n + j] : NaN;
}
own.change.emit();
middle.change.emit();
