/** One quantity, measured again and again. */
export interface Figure {
  name: string;
  unit: string;
  values: readonly number[];
  /** A part of another figure: it is compared with nothing. */
  isPart?: boolean;
}

export interface Spread {
  median: number;
  min: number;
  max: number;
}

/** @throws Error when there is no value. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [min, max] = [sorted[0], sorted.at(-1)];
  if (min === undefined || max === undefined) throw new Error('nothing was measured');
  const middle = (sorted.length - 1) / 2;
  const [low = min, high = max] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { median: (low + high) / 2, min, max };
}

/** How many times the one median is as large as the other; undefined where there is nothing to compare with. */
export function ratioOf(figure: Figure, other: Figure | undefined): number | undefined {
  if (other === undefined || other.values.length === 0 || figure.values.length === 0) return undefined;
  return spreadOf(figure.values).median / spreadOf(other.values).median;
}
