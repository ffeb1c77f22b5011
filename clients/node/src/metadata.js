import { AsyncLocalStorage } from "node:async_hooks";
import { SHARD_KEY, checkedKey } from "./keys.js";

export { BACKEND, ENDPOINT, SHADOW, SHARD_KEY, checkedKey } from "./keys.js";

const current = new AsyncLocalStorage();

/**
 * Runs a function and sets the shard key of all its calls, including later asynchronous ones; Weir
 * routes the same key to the same backend. Affects handles, and stubs with `shardKeyInterceptor`.
 *
 * @template T
 * @param {string} key any printable ASCII text
 * @param {() => T} run
 * @returns {T}
 */
export function withShardKey(key, run) {
  return current.run(checkedKey(key), run);
}

/** The shard key of the current function, or undefined. */
export function currentShardKey() {
  return current.getStore();
}

/**
 * An interceptor that sets the shard key of `withShardKey` for the calls of a stub.
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
