/**
 * Preloaded into every Node process that Pulumi starts. Only the one that runs the program needs TypeScript; the
 * providers are JavaScript, and each would pay for loading tsx.
 */
import { sep } from 'node:path';

const program = ['@pulumi', 'pulumi', 'cmd', 'run'].join(sep);

if (process.argv[1]?.includes(program)) await import('tsx');
