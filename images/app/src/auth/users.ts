import { randomUUID } from 'node:crypto';
import { type Sql } from '../shared/postgres.js';

export const usersDdl = `
  create schema if not exists auth;
  create table if not exists auth.users (
    id uuid primary key,
    email text not null unique,
    password_hash text not null,
    created_at timestamptz not null default now()
  );`;

export interface User {
  id: string;
  passwordHash: string;
}

export function createUsers(sql: Sql) {
  return {
    /** The new user's id, or undefined when the address is taken. */
    async add(email: string, passwordHash: string): Promise<string | undefined> {
      const { rows } = await sql.query<{ id: string }>(
        `insert into auth.users (id, email, password_hash) values ($1, $2, $3)
         on conflict (email) do nothing returning id`,
        [randomUUID(), email, passwordHash],
      );
      return rows[0]?.id;
    },
    async findByEmail(email: string): Promise<User | undefined> {
      const { rows } = await sql.query<User>(
        'select id, password_hash as "passwordHash" from auth.users where email = $1',
        [email],
      );
      return rows[0];
    },
  };
}
export type Users = ReturnType<typeof createUsers>;
