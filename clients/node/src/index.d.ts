export const SHARD_KEY: string;
export const ENDPOINT: string;
export const BACKEND: string;
export const SHADOW: string;

/** On which terms a change is made. */
export interface Terms {
  /** The revision upon which the change is made; ABORTED when another one came first. */
  expectedRevision?: number | string;
  /** Tells what the change would do, and does nothing. */
  validateOnly?: boolean;
  /** For the history. */
  comment?: string;
}

/** A message of `protos/weir/admin/v1/admin.proto` as JSON: names in camel case, 64-bit numbers as text. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Message = any;

export interface Owner {
  backend: string;
  point: bigint;
  first: bigint;
  last: bigint;
}

export class AffinityMap {
  constructor(endpoint: { name: string; intervals: { start: string; backend: string }[] });
  point(shardKey: string): bigint;
  explain(shardKey: string): Owner;
}

export class WeirError extends Error {
  /** The name of the gRPC status: `"NOT_FOUND"`. */
  code: string;
  /** The field of the request that is wrong, where it is known. */
  field: string | undefined;
  /** The rule that refused it, where there is one: `"REVISION_CONFLICT"`, and what belongs to it. */
  reason: string | undefined;
  metadata: Record<string, string>;
}

export class Response {
  status: number;
  contentType: string;
  body: Buffer;
  /** Who has answered. */
  backend: string | undefined;
  /** The body as a value: of JSON, text, or as it is. */
  readonly data: unknown;
}

export interface CallOptions {
  shardKey?: string;
  /** Milliseconds until DEADLINE_EXCEEDED. */
  timeout?: number;
  signal?: AbortSignal;
}

export class Handle {
  options(options: CallOptions): Handle;
  call(data?: unknown, query?: Record<string, string>): Promise<unknown>;
  response(data?: unknown, query?: Record<string, string>): Promise<Response>;
}

export class Client {
  readonly dataAddress: string;
  admin(method: string, request?: Message): Promise<Message>;
  createBackend(name: string, addresses: string[], terms?: Terms): Promise<Message>;
  deleteBackend(name: string, terms?: Terms): Promise<Message>;
  listBackends(): Promise<Message[]>;
  createEndpoint(name: string, target: { backend: string; route?: string }, terms?: Terms): Promise<Message>;
  deleteEndpoint(name: string, terms?: Terms): Promise<Message>;
  getEndpoint(name: string): Promise<Message>;
  listEndpoints(): Promise<Message[]>;
  setTraffic(endpoint: string, traffic: Record<string, number>, terms?: Terms): Promise<Message>;
  getTraffic(endpoint: string): Promise<Record<string, number>>;
  shadowTraffic(endpoint: string, backend: string, proportion: number, terms?: Terms): Promise<Message>;
  shadowReport(endpoint: string): Promise<Message[]>;
  explain(endpoint: string, shardKey?: string): Promise<Message>;
  stats(endpoint?: string): Promise<Message>;
  history(limit?: number): Promise<Message[]>;
  rollback(revision: number | string, options?: Terms & { endpoint?: string }): Promise<Message>;
  watch(options?: { fromRevision?: number | string; signal?: AbortSignal }): AsyncGenerator<Message>;
  getHandle(endpoint: string): Handle;
  close(): void;
}

export function connect(
  address?: string,
  options?: {
    author?: string; dataAddress?: string; token?: string;
    tls?: import("node:tls").ConnectionOptions; dataTls?: import("node:tls").ConnectionOptions;
  },
): Promise<Client>;
/** Runs a function all of whose calls have a shard key. */
export function withShardKey<T>(key: string, run: () => T): T;
/** For the stubs of `@grpc/grpc-js`, whose module it takes. */
export function shardKeyInterceptor(grpc: unknown): (options: unknown, nextCall: unknown) => unknown;
