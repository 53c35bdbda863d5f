// Places the steps of a query from left to right: sources first, the result last.
export interface Placed {
  column: number;
  row: number;
}

/** A plan as EXPLAIN lists it, each step before its inputs and one deeper, with inputs first. Gives the order and the inputs. */
export function fromDepths(depths: number[]): { order: number[]; inputs: number[][] } {
  const order: number[] = [];
  const inputs: number[][] = [];
  let at = 0;
  const visit = (): number => {
    const own = at++;
    const mine: number[] = [];
    while (at < depths.length && depths[at]! > depths[own]!) mine.push(visit());
    order.push(own);
    inputs.push(mine);
    return order.length - 1;
  };
  while (at < depths.length) visit();
  return { order, inputs };
}

/** The column of each step counts back from the result; rows keep each step beside the first of its inputs. */
export function layout(inputs: number[][]): { placed: Placed[]; columns: number; rows: number } {
  const placed: Placed[] = inputs.map(() => ({ column: 0, row: 0 }));
  const root = inputs.length - 1;
  let rows = 0;
  let deepest = 0;
  const visit = (n: number, depth: number): void => {
    deepest = Math.max(deepest, depth);
    placed[n]!.column = depth;
    const own = inputs[n] ?? [];
    if (own.length === 0) placed[n]!.row = rows++;
    for (const i of own) visit(i, depth + 1);
    if (own.length > 0) placed[n]!.row = own.reduce((a, i) => a + placed[i]!.row, 0) / own.length;
  };
  if (root >= 0) visit(root, 0);
  for (const p of placed) p.column = deepest - p.column;
  return { placed, columns: deepest + 1, rows: Math.max(1, rows) };
}
