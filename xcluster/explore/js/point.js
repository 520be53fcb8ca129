// The sample under the pointer, among the components.
const [j] = cb_data.index.indices;
if (j !== undefined && points.data.sample[j] !== hovered.data.sample[0]) {
  hovered.data = { sample: [points.data.sample[j]] };
}
