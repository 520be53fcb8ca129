// The sample under the pointer becomes the one that all other figures show.
const [x0, y0, width, height] = box;
const cells = raster.data.cell[0];
const [rows, columns] = cells.shape;
const column = Math.floor(((cb_obj.x - x0) / width) * columns);
const row = Math.floor(((cb_obj.y - y0) / height) * rows);
const inside = row >= 0 && row < rows && column >= 0 && column < columns;
const sample = inside ? cells[row * columns + column] : -1;
if (sample >= 0 && sample !== hovered.data.sample[0]) {
  hovered.data = { sample: [sample] };
}
