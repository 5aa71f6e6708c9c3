import { randomUUID } from 'node:crypto';
import { type Sql } from '../../shared/postgres.js';
import { type FoundMessage } from '../engine/tools.js';

const listedThreads = 200;
const listedMessages = 500;
const foundMessages = 20;

export interface Thread {
  id: string;
  title: string;
  createdAt: Date;
}

export interface Message {
  id: string;
  runId: string;
  role: 'user' | 'assistant';
  agent: string;
  content: string;
  createdAt: Date;
}

export function createThreads(sql: Sql) {
  return {
    async add(userId: string, title: string): Promise<string> {
      const id = randomUUID();
      await sql.query('insert into app.threads (id, user_id, title) values ($1, $2, $3)', [
        id,
        userId,
        title,
      ]);
      return id;
    },

    /** The user's newest 200, newest first. */
    async listOf(userId: string): Promise<Thread[]> {
      const { rows } = await sql.query<Thread>(
        `select id, title, created_at as "createdAt" from app.threads
         where user_id = $1 order by created_at desc, id limit ${listedThreads}`,
        [userId],
      );
      return rows;
    },

    async belongsTo(threadId: string, userId: string): Promise<boolean> {
      const { rowCount } = await sql.query('select 1 from app.threads where id = $1 and user_id = $2', [
        threadId,
        userId,
      ]);
      return rowCount === 1;
    },

    /** The newest `limit` messages, oldest first. */
    async messages(threadId: string, limit = listedMessages): Promise<Message[]> {
      const { rows } = await sql.query<Message>(
        `select id, run_id as "runId", role, agent, content, created_at as "createdAt" from app.messages
         where thread_id = $1 order by position desc limit $2`,
        [threadId, limit],
      );
      return rows.reverse();
    },

    /** The newest 20 messages of other runs that contain the words, whatever their case; oldest first. */
    async search(threadId: string, query: string, exceptRunId: string): Promise<FoundMessage[]> {
      const { rows } = await sql.query<FoundMessage>(
        `select role, content from app.messages
         where thread_id = $1 and run_id <> $2 and position(lower($3) in lower(content)) > 0
         order by app.messages.position desc limit ${foundMessages}`,
        [threadId, exceptRunId, query],
      );
      return rows.reverse();
    },
  };
}
export type Threads = ReturnType<typeof createThreads>;
