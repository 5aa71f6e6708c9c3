import type { ProfileName } from '../components/services.js';
import type { Scope } from '../runners/docker.js';

export const wayKinds = ['ours', 'floor', 'compose'] as const;
export type WayKind = (typeof wayKinds)[number];

/** Whoever brings environments up. */
export interface Way<P extends Place = Place> {
  kind: WayKind;
  name: string;
  /** Prepares an environment of its own; what this takes isn't measured. */
  prepare: (tenant: Tenant) => Promise<P>;
}

/** Whose resources an environment's are. */
export interface Tenant {
  /** Of the stack, of the project, and of what has no better name. */
  name: string;
  scope: Scope;
  profile: ProfileName;
  /** On everything that is made. */
  labels: Readonly<Record<string, string>>;
  /** For the environment's files. */
  folder: string;
}

export interface Place {
  /** Resolves when everybody is ready, with what it took beside the whole, by name. */
  up(signal: AbortSignal): Promise<Readonly<Record<string, number>>>;
  /** Resolves when everything is gone. */
  down(): Promise<void>;
}
