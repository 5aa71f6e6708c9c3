import { createRequire } from 'node:module';
import { hostKeysProvider } from '../../components/hosts/host-keys.js';

interface ProviderModule {
  newKeyPair: () => { private: string; public: string };
}

/** As Pulumi loads the code of a dynamic resource's provider. */
function load(code: string): ProviderModule {
  const exports: Partial<ProviderModule> = {};
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- what it evaluates is the project's own text
  const run = new Function('exports', 'require', code) as (exports: object, require: NodeJS.Require) => void;
  run(exports, createRequire(import.meta.url));
  return exports as ProviderModule;
}

/** A key pair in the form of OpenSSH, made as hosts' own are. */
export function newKeyPair(): { private: string; public: string } {
  const pair = load(hostKeysProvider).newKeyPair();
  return { private: pair.private, public: pair.public.trim() };
}
