// How the lines of a chart are told apart: by colour, and by dash, for colour is never the only sign.
const dashes = ['', '7 3', '2 3', '10 3 2 3', '5 5', '1 4'];

export const seriesColor = (i: number): string => `var(--series-${(i % 6) + 1})`;

export const seriesDash = (i: number): string => dashes[i % dashes.length] ?? '';
