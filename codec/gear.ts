/**
 * The gear table of FastCDC: 256 numbers of 64 bits. Entry i is the first 8 bytes, big-endian, of
 * MD5 over 64 copies of byte i, as in fastcdc-rs and in Bazel's `GearTable.java`; the seed,
 * zero-extended, is XORed into each.
 */
import { createHash } from "node:crypto";

/**
 * A table for a loop without BigInt. No mask of the chunker looks above bit 47, so the hash is kept
 * modulo 2^48: 16 bits below, 32 above.
 */
export interface GearTable {
  /** Bits 0 to 15 of each entry. */
  readonly low: Int32Array;
  /** Bits 16 to 47 of each entry. */
  readonly high: Int32Array;
}

/** Bits of a mask or an entry, in the two parts of a {@linkcode GearTable}. */
export interface GearMask {
  readonly low: number;
  readonly high: number;
}

/** Splits a number of up to 64 bits. */
export function splitBits(bits: bigint): GearMask {
  return { low: Number(bits & 0xffffn), high: Number(BigInt.asIntN(32, bits >> 16n)) };
}

let unseeded: readonly bigint[] | undefined;

/** The 256 entries, XORed with the seed, an unsigned 32-bit number. */
export function gearEntries(seed: number): bigint[] {
  // Made once and never changed; 256 MD5 are too many for each upload.
  unseeded ??= Array.from({ length: 256 }, (_, byte) => {
    const md5 = createHash("md5").update(new Uint8Array(64).fill(byte)).digest();
    return md5.readBigUInt64BE(0);
  });
  return unseeded.map((entry) => entry ^ BigInt(seed));
}

/** The table for this seed, an unsigned 32-bit number. */
export function gearTable(seed: number): GearTable {
  const entries = gearEntries(seed).map(splitBits);
  return {
    low: Int32Array.from(entries, (entry) => entry.low),
    high: Int32Array.from(entries, (entry) => entry.high),
  };
}
