import type { Crash } from './record.js';

/** What befell a service: the evidence, and what it had of its memory. */
export function describeCrash({ evidence, exitCode, memory }: Crash): string {
  const code =
    exitCode === undefined || evidence.includes('exit code') ? '' : `, exit code ${String(exitCode)}`;
  return `${evidence}${code}${memory === undefined ? '' : `; ${figuresOf(memory)}`}`;
}

function figuresOf({ limitMb, peakMb, kernelPeakMb }: NonNullable<Crash['memory']>): string {
  const kernel =
    kernelPeakMb === undefined ? '' : `, the kernel's peak with page cache ${kernelPeakMb.toFixed(0)} MiB`;
  return `limit ${limitMb.toFixed(0)} MiB, sampled peak ${peakMb.toFixed(0)} MiB${kernel}`;
}
