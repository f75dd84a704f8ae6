/**
 * Counts of whole numbers (here: microseconds) in buckets whose width grows with the number, as HdrHistogram does:
 * exact below `subBuckets`, and never wrong by more than one part in `subBuckets / 2` above.
 */

/** A power of two. */
const subBuckets = 256;

/** The largest number counted apart, about 17 minutes in microseconds; what is larger counts as this. */
const largest = 2 ** 30 - 1;

const halfBuckets = subBuckets / 2;

export class Histogram {
  #counts = new Uint32Array(bucketOf(largest) + 1);
  #total = 0;
  #max = 0;

  /** How many numbers were recorded. */
  get total() {
    return this.#total;
  }

  /** The largest number recorded, exactly; 0 of nothing. */
  get max() {
    return this.#max;
  }

  /** @param {number} number */
  record(number) {
    const whole = Math.min(largest, Math.max(0, Math.round(number)));
    this.#counts[bucketOf(whole)]++;
    this.#total++;
    if (whole > this.#max) this.#max = whole;
  }

  /**
   * The smallest number that at least this share of those recorded does not exceed, rounded up to the end of its
   * bucket; 0 of nothing.
   *
   * @param {number} share between 0 and 1
   */
  quantile(share) {
    const rank = Math.max(1, Math.ceil(share * this.#total));
    let seen = 0;
    for (let bucket = 0; bucket < this.#counts.length; bucket++) {
      seen += /** @type {number} */ (this.#counts[bucket]);
      if (seen >= rank) return Math.min(this.#max, lastOf(bucket));
    }
    return 0;
  }
}

/**
 * Numbers below `subBuckets` have a bucket each. From there on every power of two is cut into `halfBuckets`.
 *
 * @param {number} number
 */
function bucketOf(number) {
  if (number < subBuckets) return number;
  const shift = 31 - Math.clz32(number) - Math.log2(halfBuckets);
  return shift * halfBuckets + (number >> shift);
}

/** @param {number} bucket the number at the end of it */
function lastOf(bucket) {
  if (bucket < subBuckets) return bucket;
  const shift = Math.floor(bucket / halfBuckets) - 1;
  const top = bucket - shift * halfBuckets;
  return (top + 1) * 2 ** shift - 1;
}
