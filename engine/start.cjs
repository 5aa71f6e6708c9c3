/**
 * `node start.cjs BUNDLE [ARGUMENT …]`: runs a bundle as `node BUNDLE` would, with the code that V8 compiled for it last
 * time, which is kept beside it. A bundle of some megabytes starts in two thirds of the time. Node has the like from
 * version 22.1 on (`module.enableCompileCache`). In a bundle there is no `import()` left that would have to work.
 */
'use strict';
const { Buffer } = require('node:buffer');
const { randomUUID } = require('node:crypto');
const { closeSync, openSync, readFileSync, renameSync, writeSync } = require('node:fs');
const { createRequire, wrap } = require('node:module');
const { constants } = require('node:os');
const path = require('node:path');
const vm = require('node:vm');
const { crc32 } = require('node:zlib');

/** Its length. V8 itself notices code of another version of its own, but not damage, nor code of another source. */
const headerBytes = 8;

function headerOf(source, code) {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32LE(crc32(source), 0);
  header.writeUInt32LE(crc32(code), 4);
  return header;
}

/** @returns undefined when there is none that can be used. */
function compiledBefore(cache, source) {
  try {
    const kept = readFileSync(cache);
    const code = kept.subarray(headerBytes);
    return kept.subarray(0, headerBytes).equals(headerOf(source, code)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function keep(cache, source, script) {
  const draft = `${cache}.${randomUUID()}`;
  try {
    // First: where nothing can be written there is nothing to be made either.
    const file = openSync(draft, 'wx');
    const code = script.createCachedData();
    writeSync(file, Buffer.concat([headerOf(source, code), code]));
    closeSync(file);
    renameSync(draft, cache);
  } catch {
    // Without it the next start takes as long as this one.
  }
}

const bundle = path.resolve(process.argv[2]);
process.argv.splice(1, 2, bundle);
// Two versions of Node would replace each other's at each start.
const cache = `${bundle}.${process.version}-${process.arch}.cache`;
const source = readFileSync(bundle, 'utf8');
const script = new vm.Script(wrap(source), { filename: bundle, cachedData: compiledBefore(cache, source) });
if (script.cachedDataRejected !== false) {
  // By then it has what was compiled at its first use, too.
  process.once('exit', () => keep(cache, source, script));
  // By which Pulumi ends a plugin: one that has nothing to say to it would have no "exit".
  process.once('SIGINT', () => {
    if (process.listenerCount('SIGINT') === 0) process.exit(128 + constants.signals.SIGINT);
  });
}
const main = { exports: {} };
script
  .runInThisContext()
  .call(main.exports, main.exports, createRequire(bundle), main, bundle, path.dirname(bundle));
