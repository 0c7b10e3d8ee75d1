/**
 * Rows read for one page at most, about: then a shorter page with `next` is given, so that no question holds up the
 * others for long. Only a single interval that has more of them is computed as a whole.
 */
export const SCAN_LIMIT = 2_000_000;
