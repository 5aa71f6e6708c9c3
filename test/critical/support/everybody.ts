import { reasonOf } from '../../../engine/errors.js';
import { expectNone } from './order.js';
import { createUsers, type User } from './users.js';

/**
 * REHEARSAL_USERS new users do the same at once. The problems of all are reported together, what was thrown
 * among them, and only when all have come to their end: nobody is still at work in the next test.
 */
export async function everybody(does: (user: User, users: User[]) => Promise<string[]>): Promise<void> {
  const users = await createUsers();
  const problems = await Promise.all(
    users.map(async (user) => {
      try {
        return await does(user, users);
      } catch (error) {
        const reason = reasonOf(error);
        return [reason.startsWith(user.label) ? reason : `${user.label}: ${reason}`];
      }
    }),
  );
  expectNone(problems.flat());
}
