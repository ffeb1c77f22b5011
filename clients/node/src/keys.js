// Metadata that Weir reads and writes.
export const SHARD_KEY = "x-serve-shard-key";
export const ENDPOINT = "x-serve-endpoint";
export const BACKEND = "x-serve-backend";
export const SHADOW = "x-serve-shadow";

/** Checks that a shard key is valid in metadata; throws a TypeError otherwise. */
export function checkedKey(key) {
  if (typeof key !== "string" || !/^[!-~]([ -~]*[!-~])?$/.test(key)) {
    throw new TypeError(
      `invalid shard key ${JSON.stringify(key)}: metadata allows only printable ASCII without spaces at the ends; ` +
        "use its hash or base64",
    );
  }
  return key;
}
