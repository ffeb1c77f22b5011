// Metadata that Weir reads and writes.
export const SHARD_KEY = "x-serve-shard-key";
export const ENDPOINT = "x-serve-endpoint";
export const BACKEND = "x-serve-backend";
export const SHADOW = "x-serve-shadow";

/** Checks the names of options; throws a TypeError for others. */
export function checkNames(options, names) {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) {
      throw new TypeError(`unknown option '${name}': the options in common are ${names.join(", ")}`);
    }
  }
}

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
