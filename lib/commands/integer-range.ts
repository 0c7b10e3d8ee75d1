/** Lowest and highest value of an integer format. */
export function integerRange(format: { readonly signed: boolean; readonly width: number }): readonly [bigint, bigint] {
  const bits = BigInt(8 * format.width);
  return format.signed ? [-(2n ** (bits - 1n)), 2n ** (bits - 1n) - 1n] : [0n, 2n ** bits - 1n];
}
