import type { Mark } from './timeline.js';

/** What a program host tells the process that started it. */
export type HostMessage = { address: string } | { outputs: unknown } | { mark: Mark };

/** What it is told by that process. */
export const mayStartMessage = 'containers may start';
