/** How often each text is in the list. */
function countsOf(texts: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return counts;
}

/**
 * How a list that somebody shows or stores differs from what it should be. One sentence each.
 * @param label the user, `user 3`
 * @param holder who has the list, `PostgreSQL`
 */
export function problemsOfList(
  label: string,
  holder: string,
  seen: readonly string[],
  expected: readonly string[],
): string[] {
  const [has, wanted] = [countsOf(seen), countsOf(expected)];
  const problems: string[] = [];
  for (const [text, count] of wanted) {
    if ((has.get(text) ?? 0) < count) problems.push(`${label}: ${holder} lacks ${text}`);
  }
  for (const [text, count] of has) {
    const allowed = wanted.get(text) ?? 0;
    if (allowed === 0) problems.push(`${label}: ${holder} has ${text}, which should not be there`);
    else if (count > allowed) problems.push(`${label}: ${holder} has ${text} ${String(count)} times`);
  }
  const parting = expected.findIndex((text, index) => text !== seen[index]);
  if (problems.length === 0 && parting !== -1) {
    const [first = '', second = ''] = [seen[parting], expected[parting]];
    problems.push(`${label}: ${holder} has ${first} before ${second}: out of order`);
  }
  return problems;
}
