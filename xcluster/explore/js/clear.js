// Nothing is brushed any more.
chosen.data = { inside: [] };
