export const SHARD_KEY: string;
export const ENDPOINT: string;
export const BACKEND: string;
export const SHADOW: string;

/** The options of a change. */
export interface ChangeOptions {
  /** The revision that the change is based on. If it is not the current one, the server rejects the change with ABORTED. */
  expectedRevision?: number | string;
  /** Whether to return the effect of the change without making it. */
  validateOnly?: boolean;
  /** The reason for the change, for the history. */
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
  constructor(endpoint: { name: string; intervals: { start?: string; backend: string }[] });
  point(shardKey: string): bigint;
  explain(shardKey: string): Owner;
}

export class WeirError extends Error {
  /** The name of the gRPC status: `"NOT_FOUND"`. */
  code: string;
  /** The invalid field of the request, if known. */
  field: string | undefined;
  /** The rule that rejected the request, `"REVISION_CONFLICT"`, and its metadata, if known. */
  reason: string | undefined;
  metadata: Record<string, string>;
}

export class Response {
  status: number;
  contentType: string;
  body: Buffer;
  /** The backend that answered. */
  backend: string | undefined;
  /** The body as a value: parsed JSON, text, or bytes. */
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
  createBackend(name: string, addresses: string[], options?: ChangeOptions): Promise<Message>;
  deleteBackend(name: string, options?: ChangeOptions): Promise<Message>;
  listBackends(): Promise<Message[]>;
  createEndpoint(name: string, target: { backend: string; route?: string }, options?: ChangeOptions): Promise<Message>;
  deleteEndpoint(name: string, options?: ChangeOptions): Promise<Message>;
  getEndpoint(name: string): Promise<Message>;
  listEndpoints(): Promise<Message[]>;
  setTraffic(endpoint: string, traffic: Record<string, number>, options?: ChangeOptions): Promise<Message>;
  getTraffic(endpoint: string): Promise<Record<string, number>>;
  shadowTraffic(endpoint: string, backend: string, proportion: number, options?: ChangeOptions): Promise<Message>;
  shadowReport(endpoint: string): Promise<Message[]>;
  explain(endpoint: string, shardKey?: string): Promise<Message>;
  stats(endpoint?: string): Promise<Message>;
  history(limit?: number): Promise<Message[]>;
  rollback(revision: number | string, options?: ChangeOptions & { endpoint?: string }): Promise<Message>;
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
/** Runs a function and sets the shard key of all its calls. */
export function withShardKey<T>(key: string, run: () => T): T;
/** An interceptor for stubs of `@grpc/grpc-js`; the argument is that module. */
export function shardKeyInterceptor(grpc: unknown): (options: unknown, nextCall: unknown) => unknown;
