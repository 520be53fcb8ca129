// What was brushed stands out on the map and among the components; the rest pales.
const inside = chosen.data.inside;
if (shade) {
  const cells = raster.data.cell[0], veil = shade.data.image[0];
  const labels = samples.data[position];
  const shows = (sample) => items[labels[sample]]?.visible ?? false;
  for (let j = 0; j < cells.length; j++) {
    veil[j] = inside.length && cells[j] >= 0 && !inside[cells[j]] && shows(cells[j]) ? 1 : 0;
  }
  shade.change.emit();
}
for (const points of dotted) {
  const indices = [];
  if (inside.length) points.data.sample.forEach((sample, j) => inside[sample] && indices.push(j));
  points.selected.indices = indices;
}
