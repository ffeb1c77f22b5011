/// <reference types="node" />
import type {
  AdminMethods, AdminStreams, ApplyResponse, Backend, Configuration, CorsPolicy, DeleteBackendResponse,
  DeleteEndpointResponse, Endpoint, ExplainRouteResponse, HttpShardKey, Revision, Rollout, RolloutPlan, RollbackResponse, SetTrafficResponse,
  ShadowComparison, ShadowOptions, ShadowReport, StartRolloutResponse, Stats, WatchResponse,
} from "./admin.js";

export * from "./admin.js";

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

/**
 * A message of a request: all fields are optional, recursively. The responses are the interfaces of
 * `admin.d.ts`, whose fields have values unless they are optional.
 */
export type Input<T> = T extends (infer Element)[]
  ? Input<Element>[]
  : T extends object
    ? { [Name in keyof T]?: Input<T[Name]> }
    : T;

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

type QueryValue = string | number | bigint | boolean;

/** The query of a call by name; an array gives a name several values. */
export type Query = URLSearchParams | Record<string, QueryValue | QueryValue[]>;

export class Handle {
  options(options: CallOptions): Handle;
  call(data?: unknown, query?: Query): Promise<unknown>;
  response(data?: unknown, query?: Query): Promise<Response>;
}

export class Client {
  readonly dataAddress: string;
  /** Calls any RPC of the admin service. */
  admin<Method extends keyof AdminMethods>(
    method: Method, request?: Input<AdminMethods[Method]["request"]>,
  ): Promise<AdminMethods[Method]["response"]>;
  /** Calls any RPC of the admin service that streams its responses. */
  adminStream<Method extends keyof AdminStreams>(
    method: Method, request?: Input<AdminStreams[Method]["request"]>, options?: StreamOptions,
  ): AsyncGenerator<AdminStreams[Method]["response"]>;

  createBackend(
    name: string, addresses: string[], options?: ChangeOptions & { backend?: Input<Backend> },
  ): Promise<Backend>;
  deleteBackend(name: string, options?: ChangeOptions): Promise<DeleteBackendResponse>;
  listBackends(): Promise<Backend[]>;
  createEndpoint(
    name: string,
    target: {
      backend: string; route?: string; methods?: string[]; cors?: Input<CorsPolicy>; httpShardKey?: Input<HttpShardKey>;
    },
    options?: ChangeOptions,
  ): Promise<Endpoint>;
  deleteEndpoint(name: string, options?: ChangeOptions): Promise<DeleteEndpointResponse>;
  getEndpoint(name: string): Promise<Endpoint>;
  listEndpoints(): Promise<Endpoint[]>;

  /** Replaces the weights of an endpoint atomically. They must sum to 1. Times are text: "90s". */
  setTraffic(
    endpoint: string,
    traffic: Record<string, number>,
    options?: ChangeOptions & {
      revertAfter?: string; confirmWithin?: string; overrideRollout?: boolean; overrideFreeze?: boolean;
    },
  ): Promise<SetTrafficResponse>;
  getTraffic(endpoint: string): Promise<Record<string, number>>;
  /** Limits the requests per second of an endpoint; null removes the limit. */
  setRateLimit(
    endpoint: string, requestsPerSecond: number | null, options?: ChangeOptions & { burst?: number },
  ): Promise<Endpoint>;
  /** Copies a share of an endpoint's requests to a backend; 0 removes the shadow. */
  shadowTraffic(
    endpoint: string, backend: string, proportion: number,
    options?: ChangeOptions & { shadow?: Input<ShadowOptions> },
  ): Promise<Endpoint>;
  setShadowComparison(
    endpoint: string, comparison: Input<ShadowComparison>, options?: ChangeOptions,
  ): Promise<Endpoint>;
  shadowReport(endpoint: string): Promise<ShadowReport[]>;
  resetShadowReport(endpoint: string, backend?: string): Promise<void>;

  startRollout(endpoint: string, plan: Input<RolloutPlan>, options?: ChangeOptions): Promise<StartRolloutResponse>;
  getRollout(endpoint: string): Promise<Rollout>;
  listRollouts(): Promise<Rollout[]>;
  watchRollout(endpoint: string, options?: StreamOptions): AsyncGenerator<Rollout>;
  pauseRollout(endpoint: string, options?: ChangeOptions): Promise<Rollout>;
  resumeRollout(
    endpoint: string, options?: ChangeOptions & { adopt?: boolean; restore?: boolean },
  ): Promise<Rollout>;
  advanceRollout(endpoint: string, options?: ChangeOptions): Promise<Rollout>;
  promoteRollout(endpoint: string, options?: ChangeOptions): Promise<Rollout>;
  abortRollout(
    endpoint: string, options?: ChangeOptions & { immediate?: boolean; keepWeights?: boolean },
  ): Promise<Rollout>;

  explain(endpoint: string, shardKey?: string): Promise<ExplainRouteResponse>;
  stats(endpoint?: string): Promise<Stats>;

  /** Returns the whole state, or that of a revision, as a configuration for `apply`. */
  export(revision?: number | string): Promise<Configuration>;
  /** Replaces the whole state with a configuration; only with `prune`, deletes what it does not contain. */
  apply(configuration: Input<Configuration>, options?: ChangeOptions & { prune?: boolean }): Promise<ApplyResponse>;
  history(
    limit?: number, options?: { beforeRevision?: number | string; endpoint?: string; rolloutsOf?: string },
  ): Promise<Revision[]>;
  rollback(revision: number | string, options?: ChangeOptions & { endpoint?: string }): Promise<RollbackResponse>;
  watch(options?: StreamOptions & { fromRevision?: number | string }): AsyncGenerator<WatchResponse>;

  getHandle(endpoint: string): Handle;
  close(): void;
}

/** The options of a stream. */
export interface StreamOptions {
  /** Ends the stream, which then throws a WeirError with the code "CANCELLED". */
  signal?: AbortSignal;
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
