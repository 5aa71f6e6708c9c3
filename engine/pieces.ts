import { type ImageName } from '../images/manifest.js';

/** What a run needs from the machine. */
export type Piece =
  | 'Docker Engine'
  | 'Pulumi CLI'
  | 'Node language host'
  | 'Docker provider'
  | 'browser'
  | `image ${ImageName}`;

/** Where a piece came from: it was there, it was downloaded from its maker, or it was made here. */
export type Way = 'installed' | 'official' | 'fallback';

export interface Found {
  way: Way;
  version: string;
  /** Why the official way wasn't taken, or another remark worth a line. */
  detail?: string;
}

export interface Source {
  way: Way;
  version: string;
  tookMs: number;
}
