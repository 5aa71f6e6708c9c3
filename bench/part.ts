import type { Rows } from '../runners/report/content.js';
import type { Site } from './site.js';
import type { Figure } from './statistics.js';

export interface BenchTable {
  title: string;
  rows: Rows;
}

export interface Measured {
  figures: readonly Figure[];
  tables: readonly BenchTable[];
  /** What failed of what was to be measured: its figures are missing, or not worth anything. */
  problems: readonly string[];
}

/** What can be measured alone. */
export interface BenchPart {
  name: string;
  /** How often it measures without being told. */
  rounds: number;
  /** What it measures, in a line. */
  describe: string;
  /** Ends early, with what is known by then, when the site's signal aborts. */
  run: (site: Site, rounds: number) => Promise<Measured>;
}
