// Coordinates, labels, memberships and values of the sample, in words.
const i = hovered.data.sample[0];
const data = samples.data;
const time = (value) => (isNaN(value) ? "no time" : new Date(value).toISOString().slice(0, 16));
const said = { time, name: (value) => entries[value], number: (value) => +value.toPrecision(6) };
const parts = places.map(([text, column, kind]) => `${text} ${said[kind](data[column][i])}`);
for (const { column, membership, names, colors, title } of results) {
  const label = data[column][i];
  const chip = `<span style="background:${colors[label] ?? "#fff"};padding:0 0.5em">&nbsp;</span>`;
  const share = membership ? `, membership ${(data[membership][i] / 254).toFixed(2)}` : "";
  parts.push(`${title} ${chip} <b>${names[label] ?? "no label"}</b>${share}`);
}
for (const { scale, column, names } of values) {
  const { low, step } = scale.data;
  const n = low.length;
  names.slice(0, 12).forEach((name, j) => {
    const stored = data[column][i * n + j];
    parts.push(stored === 255 ? `${name}: none` : `${name}: ${+(low[j] + step[j] * stored).toPrecision(3)}`);
  });
}
const words = parts.join(" &nbsp;·&nbsp; ");
info.text = `<div style="display: grid">${room}<span style="grid-area: 1/1">${words}</span></div>`;
