/** Standard deviation and variance of Good values (Part 13 §5.4.3.37 to §5.4.3.40). */
import { HISTORIAN_BITS, HISTORY_STATUS } from '../../../model';
import { numberAt, Severity, severityAt } from '../points';
import { marked, noData } from '../results';
import { type AggregateFunction, partialBit } from './source';

interface Moments {
  readonly number: number;
  /** Sum of the squared differences from the mean. */
  readonly squares: number;
}

function fromMoments(result: (moments: Moments) => number): AggregateFunction {
  return (source, interval) => {
    let number = 0;
    let mean = 0;
    let squares = 0;
    let isSkipped = false;
    // Welford's way: exact enough however far the values are from zero.
    source.rows.scan(interval.from, interval.to, (columns, integers, first, behind) => {
      for (let index = first; index < behind; index++) {
        if (severityAt(columns, index) !== Severity.Good) {
          isSkipped = true;
          continue;
        }
        const value = numberAt(columns, integers, index);
        const before = value - mean;
        mean += before / ++number;
        squares += before * (value - mean);
      }
    });
    if (number === 0) return noData(interval.start);
    const status = isSkipped ? HISTORY_STATUS.UncertainDataSubNormal : 0;
    const bits = HISTORIAN_BITS.Calculated | partialBit(source, interval);
    return { time: interval.start, value: result({ number, squares }), status: marked(status, bits) };
  };
}

/** Of a sample; 0 for a single value. */
const sampleVariance = ({ number, squares }: Moments): number => (number === 1 ? 0 : squares / (number - 1));
const populationVariance = ({ number, squares }: Moments): number => squares / number;

export const varianceSample = fromMoments(sampleVariance);
export const variancePopulation = fromMoments(populationVariance);
export const standardDeviationSample = fromMoments((moments) => Math.sqrt(sampleVariance(moments)));
export const standardDeviationPopulation = fromMoments((moments) => Math.sqrt(populationVariance(moments)));
