import { randomUUID } from 'node:crypto';
import { ApiError } from '../../shared/errors.js';
import { type Sql } from '../../shared/postgres.js';
import { type AgentName } from '../engine/agents.js';

const uniqueViolation = '23505';

export interface NewRun {
  userId: string;
  threadId: string;
  agent: AgentName;
  content: string;
  worker: number;
}

export interface Run {
  id: string;
  threadId: string;
  agent: string;
  status: 'running' | 'completed' | 'failed';
  error: string | null;
  steps: number;
  revisions: number;
  content: string | null;
}

export interface Progress {
  steps: number;
  revisions: number;
}

export interface AbandonedRun {
  id: string;
  threadId: string;
  userId: string;
  agent: string;
}

/** What belongs together is one statement each: it is done as a whole or not at all, and in one round trip. */
export function createRuns(sql: Sql) {
  return {
    /**
     * Stores the user's message and its run.
     * @throws ApiError 404 `thread_not_found`, 409 `run_active`.
     */
    async begin({
      userId,
      threadId,
      agent,
      content,
      worker,
    }: NewRun): Promise<{ messageId: string; runId: string }> {
      const runId = randomUUID();
      const messageId = randomUUID();
      try {
        const { rowCount } = await sql.query(
          `with run as (
             insert into app.runs (id, thread_id, user_id, agent, worker)
             select $1, id, user_id, $4, $5 from app.threads where id = $2 and user_id = $3
             returning id, thread_id, agent
           ), message as (
             insert into app.messages (id, thread_id, run_id, role, agent, content)
             select $6, thread_id, id, 'user', agent, $7 from run
           )
           select from run`,
          [runId, threadId, userId, agent, worker, messageId, content],
        );
        if (rowCount !== 1) throw new ApiError(404, 'thread_not_found', 'You have no such thread.');
      } catch (error) {
        if (error instanceof Error && 'code' in error && error.code === uniqueViolation) {
          throw new ApiError(409, 'run_active', 'The thread has a run under way.');
        }
        throw error;
      }
      return { messageId, runId };
    },

    /** Stores the assistant's message and the run's end. */
    async complete(runId: string, content: string, { steps, revisions }: Progress): Promise<void> {
      await sql.query(
        `with run as (
           update app.runs set status = 'completed', content = $2, steps = $3, revisions = $4, finished_at = now()
           where id = $1
           returning id, thread_id, agent
         )
         insert into app.messages (id, thread_id, run_id, role, agent, content)
         select $5, thread_id, id, 'assistant', agent, $2 from run`,
        [runId, content, steps, revisions, randomUUID()],
      );
    },

    /** Undoes a completion that was stored although its answer got lost. */
    async fail(runId: string, error: string, { steps, revisions }: Progress): Promise<void> {
      await sql.query(
        `with run as (
           update app.runs
           set status = 'failed', error = $2, content = null, steps = $3, revisions = $4, finished_at = now()
           where id = $1
         )
         delete from app.messages where run_id = $1 and role = 'assistant'`,
        [runId, error, steps, revisions],
      );
    },

    async find(runId: string, userId: string): Promise<Run | undefined> {
      const { rows } = await sql.query<Run>(
        `select id, thread_id as "threadId", agent, status, error, steps, revisions, content
         from app.runs where id = $1 and user_id = $2`,
        [runId, userId],
      );
      return rows[0];
    },

    /** Fails the runs that a worker of this number left behind when it died, and returns them. */
    async failAbandoned(worker: number): Promise<AbandonedRun[]> {
      const { rows } = await sql.query<AbandonedRun>(
        `update app.runs set status = 'failed', error = 'internal', finished_at = now()
         where worker = $1 and status = 'running'
         returning id, thread_id as "threadId", user_id as "userId", agent`,
        [worker],
      );
      return rows;
    },
  };
}
export type Runs = ReturnType<typeof createRuns>;
