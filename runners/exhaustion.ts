import type { Crash } from './report/record.js';
import { firstSaid, type ServiceLog } from './service-log.js';

/** A limit that a program sets itself, below its container's: the kernel kills nobody there. */
interface Rule {
  limit: string;
  /** A line that says so, whoever's log has it. */
  line: RegExp;
  /** Whose limit it is, when the one who says it is its client; else its own. */
  of?: string;
}

const rules: readonly Rule[] = [
  { limit: "V8's heap limit", line: /\b(?:JavaScript heap out of memory|Reached heap limit)\b/ },
  {
    limit: "Redis's maxmemory",
    line: /\bOOM command not allowed when used memory > 'maxmemory'/,
    of: 'redis',
  },
  {
    limit: "ClickHouse's memory limit",
    // "Memory limit (total) exceeded" until 24.10, "(total) memory limit exceeded" from then on.
    line: /\bmemory limit (?:\([^)]*\) )?exceeded: would use /i,
    of: 'clickhouse',
  },
  { limit: "PostgreSQL's memory", line: /\b(?:ERROR|FATAL): +out of memory\b/, of: 'postgres' },
];

/** Lines that say that a limit was met. */
export const limitLines: readonly RegExp[] = rules.map(({ line }) => line);

/** The services that met a limit of their own, each limit once, by the first line that says so. */
export function findExhaustions(logs: readonly ServiceLog[]): Crash[] {
  return rules.flatMap((rule) => {
    const found = new Map<string, Crash>();
    for (const log of logs) {
      const service = rule.of ?? log.service;
      const crash = found.has(service) ? undefined : exhaustionOf(rule, service, log);
      if (crash !== undefined) found.set(service, crash);
    }
    return [...found.values()];
  });
}

function exhaustionOf({ limit, line }: Rule, service: string, log: ServiceLog): Crash | undefined {
  const found = firstSaid(log, line);
  if (found === undefined) return undefined;
  const { said, ...when } = found;
  const whose = log.service === service ? 'its log' : `the log of ${log.service}`;
  return { service, kind: 'exhausted', ...when, evidence: `${limit} was met, ${whose} says: ${said}` };
}
