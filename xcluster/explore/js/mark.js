// A mark at the place of the sample, on a map or among the components.
const i = hovered.data.sample[0];
mark.data = { x: [samples.data[x][i]], y: [samples.data[y][i]] };
