const maxDepth = 50;

/**
 * The value of an expression of numbers, + − * / and parentheses.
 * @throws Error that says what is wrong and where.
 */
export function calculate(expression: string): number {
  const tokens = expression.match(/\d+(?:\.\d+)?|\.\d+|\S/g) ?? [];
  let position = 0;
  let depth = 0;

  const sum = (): number => {
    let value = product();
    for (;;) {
      if (accept('+')) value += product();
      else if (accept('-') || accept('−')) value -= product();
      else return value;
    }
  };
  const product = (): number => {
    let value = factor();
    for (;;) {
      if (accept('*')) value *= factor();
      else if (accept('/')) value /= divisor();
      else return value;
    }
  };
  const divisor = (): number => {
    const value = factor();
    if (value === 0) throw new Error('division by zero');
    return value;
  };
  const factor = (): number => {
    depth += 1;
    if (depth > maxDepth) throw new Error('the expression is nested too deeply');
    try {
      if (accept('-') || accept('−')) return -factor();
      if (accept('(')) {
        const value = sum();
        if (!accept(')')) throw unexpected();
        return value;
      }
      const value = Number(tokens[position]);
      if (Number.isNaN(value)) throw unexpected();
      position += 1;
      return value;
    } finally {
      depth -= 1;
    }
  };
  const accept = (token: string): boolean => {
    if (tokens[position] !== token) return false;
    position += 1;
    return true;
  };
  const unexpected = (): Error => {
    const found = tokens[position];
    return new Error(
      found === undefined ? 'the expression ends too early' : `unexpected "${found}" in the expression`,
    );
  };

  const value = sum();
  if (position < tokens.length) throw unexpected();
  // Binary fractions don't show: 0.1 + 0.2 is 0.3.
  return Number(value.toPrecision(15));
}
