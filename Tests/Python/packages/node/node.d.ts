// The part of @types/node that the client uses, for machines without that package.
interface Buffer extends Uint8Array {}
declare module "node:tls" {
  interface ConnectionOptions {
    ca?: string | Buffer;
  }
}
