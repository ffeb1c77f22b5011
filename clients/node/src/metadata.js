import { AsyncLocalStorage } from "node:async_hooks";

// Metadata that Weir reads and writes.
export const SHARD_KEY = "x-serve-shard-key";
export const ENDPOINT = "x-serve-endpoint";
export const BACKEND = "x-serve-backend";
export const SHADOW = "x-serve-shadow";

const current = new AsyncLocalStorage();

/**
 * Runs a function all of whose calls, also those that it leads to later, have a shard key: the same key reaches the
 * same backend. Concerns handles, and stubs with `shardKeyInterceptor`.
 *
 * @template T
 * @param {string} key any printable ASCII text
 * @param {() => T} run
 * @returns {T}
 */
export function withShardKey(key, run) {
  return current.run(checkedKey(key), run);
}

/** The shard key of the function that this is called in, or undefined. */
export function currentShardKey() {
  return current.getStore();
}

/** A shard key as it may stand in metadata; throws a TypeError for any other. */
export function checkedKey(key) {
  if (typeof key !== "string" || !/^[!-~]([ -~]*[!-~])?$/.test(key)) {
    throw new TypeError(
      `shard key ${JSON.stringify(key)} can't be sent: metadata takes printable ASCII without spaces at the ends; ` +
        "send its hash or base64",
    );
  }
  return key;
}

/**
 * An interceptor that gives the calls of a stub the shard key of `withShardKey`.
 *
 *   new Greeter(address, credentials, { interceptors: [shardKeyInterceptor(grpc)] })
 *
 * @param grpc the module `@grpc/grpc-js`
 */
export function shardKeyInterceptor(grpc) {
  return (options, nextCall) =>
    new grpc.InterceptingCall(nextCall(options), {
      start(metadata, listener, next) {
        const key = currentShardKey();
        if (key !== undefined) metadata.set(SHARD_KEY, key);
        next(metadata, listener);
      },
    });
}
