/**
 * A value as JSON. Throws a TypeError for values that `JSON.stringify` would change silently: NaN and
 * infinite numbers, maps, sets, functions, symbols and text that is not valid Unicode.
 */
export function toJSON(value) {
  return JSON.stringify(value ?? null, function check(name, part) {
    const place = name === "" ? "the value" : `the value of ${JSON.stringify(name)}`;
    if (typeof part === "number" && !Number.isFinite(part)) {
      throw new TypeError(`${place} is ${part}, which JSON does not have; use null or text instead`);
    }
    if (typeof part === "string" && /\p{Surrogate}/u.test(part)) {
      throw new TypeError(`${place} has half of a surrogate pair, which UTF-8 does not have`);
    }
    const isOther = part instanceof Map || part instanceof Set || ["function", "symbol"].includes(typeof part);
    // A view of bytes within a value would become an object with numbers as names.
    if (isOther || ArrayBuffer.isView(part) || part instanceof ArrayBuffer) {
      throw new TypeError(`${place} has no JSON form; convert it, for example with Object.fromEntries or Array.from`);
    }
    return part;
  });
}
