import * as z from 'zod';
import { targetSchema } from '../engine/ssh/target.js';
import { profileNames, serviceNames } from './services.js';

const port = z.int().min(1).max(65535);
const login = { host: z.string(), port, user: z.string(), password: z.string(), database: z.string() };

/**
 * What a suite needs to reach an environment. The runner writes it, as JSON, to a file of mode 0600 whose
 * path it hands to the suite in `REHEARSAL_ENVIRONMENT`. It holds passwords.
 */
export const endpointsSchema = z.strictObject({
  frontendUrl: z.url(),
  authUrl: z.url(),
  backendUrl: z.url(),
  /** `ws://…/ws` of the backend itself, without the frontend's proxy between. */
  backendWebSocketUrl: z.url(),
  llmUrl: z.url(),
  /** PostgreSQL itself. */
  postgres: z.strictObject(login),
  /** The same database through PgBouncer. */
  pgbouncer: z.strictObject(login),
  redis: z.strictObject({ host: z.string(), port, password: z.string() }),
  clickhouse: z.strictObject({ url: z.url(), user: z.string(), password: z.string(), database: z.string() }),
});
export type Endpoints = z.infer<typeof endpointsSchema>;

const serviceOutputSchema = z.strictObject({
  containerId: z.string().min(1),
  containerName: z.string().min(1),
  /** Image reference as configured. */
  image: z.string().min(1),
  imageId: z.string().min(1),
  memoryMb: z.int().positive(),
  /** Host port on loopback, chosen by the engine. */
  port,
});

/** Where the environment runs. How to log in there is in `target`. */
const hostOutputSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('local') }),
  z.strictObject({ kind: z.literal('ssh') }),
  z.strictObject({
    kind: z.literal('aws'),
    region: z.string(),
    instanceId: z.string(),
    instanceType: z.string(),
    address: z.string(),
    user: z.string(),
    /** The only key that the host shows. */
    hostKey: z.string(),
    /** Opens the host: secret. */
    privateKey: z.string(),
  }),
]);

/** The stack's outputs, as `pulumi stack output --json --show-secrets` prints them. */
export const outputsSchema = z.strictObject({
  profile: z.enum(profileNames),
  budgetMb: z.int().positive(),
  /** Σ(limits) of the services. */
  memoryMb: z.int().positive(),
  host: hostOutputSchema,
  network: z.string(),
  services: z.record(z.enum(serviceNames), serviceOutputSchema),
  /** `stand-in` is the scripted llm service, `external` a server that the stack's config names. */
  llm: z.strictObject({ kind: z.enum(['stand-in', 'external']), baseUrl: z.string(), model: z.string() }),
  /** ISO 8601, UTC. Made once, on the first `up`. */
  expiresAt: z.iso.datetime(),
  /**
   * How to log in to the machine whose loopback has the ports; absent when it is the one that ran the first `up`.
   */
  target: targetSchema.optional(),
  /** Secret: it holds passwords. */
  endpoints: endpointsSchema,
});
export type Outputs = z.infer<typeof outputsSchema>;
