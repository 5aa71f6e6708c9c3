import type { Rows } from '../runners/report/content.js';
import { ratioOf, spreadOf, type Figure } from './statistics.js';

/** A figure that others are compared with. */
export interface Reference {
  /** Head of the column. */
  title: string;
  figure: Figure | undefined;
  /** How many times the figure is as large as the reference, or the reference as the figure. */
  way: 'of the reference' | 'of the figure';
}

/** A row per figure that was measured: median, spread, and what it is of each reference. */
export function figureRows(figures: readonly Figure[], references: readonly Reference[]): Rows {
  const measured = figures.filter(({ values }) => values.length > 0);
  return {
    head: ['', 'unit', 'rounds', 'median', 'min', 'max', ...references.map(({ title }) => title)],
    rows: measured.map((figure) => {
      const { median, min, max } = spreadOf(figure.values);
      return [
        figure.name,
        figure.unit,
        String(figure.values.length),
        ...[median, min, max].map(shown),
        ...references.map((reference) => comparison(figure, reference)),
      ];
    }),
  };
}

function comparison(figure: Figure, { figure: reference, way }: Reference): string {
  if (figure.isPart === true || reference === figure) return '';
  const ratio = ratioOf(figure, reference);
  if (ratio === undefined) return '';
  return (way === 'of the reference' ? ratio : 1 / ratio).toFixed(2);
}

/** Three digits that count, and none that the clock doesn't have. */
export const shown = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
