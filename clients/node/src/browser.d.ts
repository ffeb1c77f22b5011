export const SHARD_KEY: string;
export const BACKEND: string;

export interface CallOptions {
  /** Weir routes the same key to the same backend. */
  shardKey?: string;
  /** Milliseconds until DEADLINE_EXCEEDED. */
  timeout?: number;
  /** Further header fields: the metadata of the call. */
  headers?: HeadersInit;
  /** Whether cookies are sent to another origin. */
  credentials?: RequestCredentials;
  /** Cancels the call. */
  signal?: AbortSignal;
}

/** A message as JSON: names in camel case, 64-bit numbers as text. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Message = any;

export interface Reply<Type = Message> {
  message: Type;
  /** The backend that answered. */
  backend: string | undefined;
  headers: Headers;
}

export class WebClient {
  constructor(url: string, options?: CallOptions);
  options(options: CallOptions): WebClient;
  /** @param method `pkg.Service/Method` */
  call<Type = Message>(method: string, request?: Message, options?: CallOptions): Promise<Type>;
  response<Type = Message>(method: string, request?: Message, options?: CallOptions): Promise<Reply<Type>>;
  stream<Type = Message>(
    method: string, requests?: Message | Message[], options?: CallOptions,
  ): AsyncGenerator<Type, void>;
  admin(method: string, request?: Message, options?: CallOptions): Promise<Message>;
}

export interface Owner {
  backend: string;
  point: bigint;
  first: bigint;
  last: bigint;
}

/** Computes the backend of a shard key locally, from the result of `admin("GetEndpoint")`. */
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
  /** The rule that rejected the request, and its metadata, if known. */
  reason: string | undefined;
  metadata: Record<string, string>;
}
