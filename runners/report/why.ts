import type { Change, Diagnosis, Evidence } from './diagnosis-schema.js';
import type { RunRecord } from './record.js';

/** Why something was no "go", for people: text as it is, escaped for nothing. */
export interface Why {
  title: string;
  /** What was seen, with where it can be read again. */
  seen: string[];
  /** Each the cause of the one before. */
  causes: { says: string; evidence: string[] }[];
  /** What is known of the cause, and what follows from it. */
  conclusion: string;
  /** What there is to read where no cause is known. */
  unexplained: string[];
}

/** Suites with the same causes are told of together, with what the first has to show for it. */
export function whys({ diagnosis }: RunRecord): Why[] {
  const groups = new Map<string, [Diagnosis, ...Diagnosis[]]>();
  for (const each of diagnosis) {
    const [symptom, ...causes] = each.chain.map(({ says }) => says);
    const key = JSON.stringify(causes.length === 0 ? symptom : causes);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [each]);
    else group.push(each);
  }
  return [...groups.values()].map(whyOf);
}

/** Each chain of a suite in a line, from what was seen to its cause. */
export function chainsOf({ diagnosis }: RunRecord, suite: string): string[] {
  return diagnosis
    .filter((each) => each.suite === suite)
    .map(({ chain, conclusion }) =>
      [...chain.map(({ says }) => says), ...(conclusion.kind === 'unknown' ? ['unknown'] : [])].join(' ← '),
    );
}

function whyOf(alike: [Diagnosis, ...Diagnosis[]]): Why {
  const [{ chain, conclusion }] = alike;
  const [symptom, ...causes] = chain;
  return {
    title: `Why: ${alike.map(({ chain: [seen], suite }) => seen?.says ?? suite).join(', ')}`,
    seen: symptom?.evidence.map(inWords) ?? [],
    causes: causes.map(({ says, link, evidence }) => ({
      says: `because ${says} (${link})`,
      evidence: evidence.map(inWords),
    })),
    conclusion: conclusionOf(conclusion),
    unexplained: conclusion.kind === 'unknown' ? conclusion.evidence.map(inWords) : [],
  };
}

function conclusionOf(conclusion: Diagnosis['conclusion']): string {
  if (conclusion.kind === 'unknown') return 'Why that was is unknown.';
  if (conclusion.recommendation === undefined) return 'No figure follows from this.';
  const { changes, reason } = conclusion.recommendation;
  return `Recommended: ${changes.map(changeInWords).join(', ')} (${reason})`;
}

/** All suites' recommendations as one, and how to have it written. */
export function recommendationLines({ recommended, runId }: RunRecord): string[] {
  if (recommended.length === 0) return [];
  const apply = recommended.some(({ kind }) => kind === 'setting')
    ? [
        `Write it to the settings: npm run rehearsal -- diagnose ${runId} --apply-recommendation [--stack <name>]`,
      ]
    : [];
  return [`Recommended: ${recommended.map(changeInWords).join(', ')}`, ...apply];
}

function changeInWords(change: Change): string {
  const name = change.kind === 'option' ? change.option : `rehearsal:${change.path.join('.')}`;
  const from = change.from === undefined ? '' : `${String(change.from)} → `;
  return `${name} ${from}${String(change.to)}`;
}

function inWords({ kind, service, at, text }: Evidence): string {
  const source = service === undefined ? kind : `${kind} of ${service}`;
  return `${source}${at === undefined ? '' : `, ${at}`}: ${text}`;
}
