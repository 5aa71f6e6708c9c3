/**
 * `node start.cjs BUNDLE [ARGUMENT …]`: runs a bundle as `node BUNDLE` would, with the code that V8 compiled for it last
 * time, which is kept beside it. A bundle of some megabytes starts in two thirds of the time. Node has the like from
 * version 22.1 on (`module.enableCompileCache`). In a bundle there is no `import()` left that would have to work.
 */
'use strict';
const { readFileSync, renameSync, writeFileSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { constants } = require('node:os');
const path = require('node:path');
const vm = require('node:vm');

function compiledBefore(file) {
  try {
    return readFileSync(file);
  } catch {
    return undefined;
  }
}

const bundle = path.resolve(process.argv[2]);
process.argv.splice(1, 2, bundle);
const cache = `${bundle}.cache`;
const script = new vm.Script(wrap(readFileSync(bundle, 'utf8')), {
  filename: bundle,
  cachedData: compiledBefore(cache),
});
// Undefined without a cache, true for that of another version of Node.
if (script.cachedDataRejected !== false) {
  // By then it has what was compiled at its first use, too.
  process.once('exit', () => {
    const draft = `${cache}.${process.pid}`;
    try {
      writeFileSync(draft, script.createCachedData(), { mode: 0o600 });
      renameSync(draft, cache);
    } catch {
      // Without it the next start takes as long as this one.
    }
  });
  // By which Pulumi ends a plugin: one that has nothing to say to it would have no "exit".
  process.once('SIGINT', () => {
    if (process.listenerCount('SIGINT') === 0) process.exit(128 + constants.signals.SIGINT);
  });
}
const main = { exports: {} };
script
  .runInThisContext()
  .call(main.exports, main.exports, createRequire(bundle), main, bundle, path.dirname(bundle));
