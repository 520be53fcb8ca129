// Which samples lie in the box or the outline that was drawn.
const shape = cb_obj.geometry;
if (cb_obj.final) {
  const xs = samples.data[x], ys = samples.data[y];
  const inside = new Uint8Array(xs.length);
  for (let i = 0; i < xs.length; i++) {
    inside[i] = shape.type === "rect" ? in_box(xs[i], ys[i]) : in_outline(xs[i], ys[i]);
  }
  chosen.data = { inside: inside.includes(1) ? inside : [] };
}

function in_box(px, py) {
  const { x0, x1, y0, y1 } = shape;
  return px >= Math.min(x0, x1) && px <= Math.max(x0, x1) && py >= Math.min(y0, y1) && py <= Math.max(y0, y1);
}

// Even-odd rule: how many edges a ray to the right crosses.
function in_outline(px, py) {
  const { x: ox, y: oy } = shape;
  if (shape.type !== "poly") return false;
  let within = false;
  for (let a = 0, b = ox.length - 1; a < ox.length; b = a++) {
    if (oy[a] > py !== oy[b] > py && px < ((ox[b] - ox[a]) * (py - oy[a])) / (oy[b] - oy[a]) + ox[a]) within = !within;
  }
  return within;
}
