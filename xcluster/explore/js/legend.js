// A label that is hidden loses its colour, on the map, among the components and the centres.
mapper.palette = colors.map((color, i) => (items[i].visible ? color : "rgba(0,0,0,0)"));
sources.forEach((source) => source.change.emit());
