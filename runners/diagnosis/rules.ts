import type { Rule } from './facts.js';
import { memoryRules } from './memory-rules.js';
import { processRules } from './process-rules.js';
import { startRules } from './start-rules.js';
import { suiteRules } from './suite-rules.js';

/** In this order: the first whose needs are met explains a fact. */
export const rules: readonly Rule[] = [...startRules, ...processRules, ...suiteRules, ...memoryRules];
