import { type ImageName } from '../images/manifest.js';
import { type Progress } from './progress.js';
import { reasonOf } from './errors.js';

/** What a run needs from the machine. */
export type Piece =
  | 'Docker Engine'
  | 'Pulumi CLI'
  | 'Node language host'
  | 'Docker provider'
  | 'AWS provider'
  | 'browser'
  | `image ${ImageName}`;

export interface Found {
  /** Where a piece came from: it was there, it was downloaded from its maker, or it was made here. */
  way: 'installed' | 'official' | 'fallback';
  version: string;
  /** Why the official way wasn't taken. */
  detail?: string;
}

export interface Source extends Pick<Found, 'way' | 'version'> {
  tookMs: number;
}

export type Update = (detail: string) => void;

/** Shows each piece as a step and remembers where it came from, or why it can't be had. */
export class Pieces {
  readonly sources: Partial<Record<Piece, Source>> = {};
  /** Several pieces may fail for one and the same reason. */
  private readonly problems = new Map<unknown, Piece[]>();

  constructor(private readonly progress: Progress) {}

  async get<T extends Found>(piece: Piece, ensure: (update: Update) => Promise<T>): Promise<T> {
    const step = this.progress.step(piece);
    const startedMs = performance.now();
    try {
      const found = await ensure((detail) => {
        step.update(detail);
      });
      const { way, version, detail } = found;
      this.sources[piece] = { way, version, tookMs: Math.round(performance.now() - startedMs) };
      step.done([way, version, ...(detail === undefined ? [] : [detail])].join(', '));
      return found;
    } catch (error) {
      step.fail('failed');
      this.problems.set(error, [...(this.problems.get(error) ?? []), piece]);
      throw error;
    }
  }

  /** @throws Error with every problem met so far. */
  assertComplete(): void {
    if (this.problems.size === 0) return;
    const lines = [...this.problems].map(([error, pieces]) => `${pieces.join(', ')}: ${reasonOf(error)}`);
    throw new Error(`The set-up can't be finished:\n${lines.join('\n')}`, {
      cause: this.problems.keys().next().value,
    });
  }
}
