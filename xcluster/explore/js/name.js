// The name of a label from its place in the legend.
return names[value] ?? "no label";
