/** PostgreSQL. The partial index is what allows a thread one run at a time, whichever worker asks. */
export const appDdl = `
  create schema if not exists app;
  create table if not exists app.threads (
    id uuid primary key,
    user_id uuid not null,
    title text not null,
    created_at timestamptz not null default now()
  );
  create index if not exists threads_user on app.threads (user_id, created_at);
  create table if not exists app.runs (
    id uuid primary key,
    thread_id uuid not null references app.threads (id),
    user_id uuid not null,
    agent text not null,
    worker integer not null,
    status text not null default 'running' check (status in ('running', 'completed', 'failed')),
    error text,
    steps integer not null default 0,
    revisions integer not null default 0,
    content text,
    created_at timestamptz not null default now(),
    finished_at timestamptz
  );
  create unique index if not exists runs_active on app.runs (thread_id) where status = 'running';
  create table if not exists app.messages (
    id uuid primary key,
    thread_id uuid not null references app.threads (id),
    run_id uuid not null references app.runs (id),
    role text not null check (role in ('user', 'assistant')),
    agent text not null,
    content text not null,
    position bigint generated always as identity,
    created_at timestamptz not null default now()
  );
  create index if not exists messages_thread on app.messages (thread_id, position);`;
