import type { Aggregate, MetricDataType } from '../../../model';
import { average, timeAverage, timeAverage2, total1, total2 } from './averages';
import { count, durationInStateNonZero, durationInStateZero, numberOfTransitions } from './counts';
import { delta, deltaBounds, end, endBound, interpolative, start, startBound } from './edges';
import { actualTimeOf, extremeOf, range } from './extremes';
import { boundedActualTimeOf, boundedExtremeOf, range2 } from './extremes-with-bounds';
import { durationBad, durationGood, percentBad, percentGood, worstQuality, worstQuality2 } from './quality';
import type { AggregateFunction } from './source';
import { standardDeviationPopulation, standardDeviationSample, variancePopulation, varianceSample } from './statistics';

export type { AggregateFunction, AggregateSource } from './source';

/** Which values an aggregate can be computed from (Part 13 §5.4.2.3; Interpolative holds what is no number). */
type Domain = 'all' | 'numeric' | 'numeric or boolean';

interface AggregateDefinition {
  readonly compute: AggregateFunction;
  readonly domain: Domain;
}

const all = (compute: AggregateFunction): AggregateDefinition => ({ compute, domain: 'all' });
const numeric = (compute: AggregateFunction): AggregateDefinition => ({ compute, domain: 'numeric' });
const state = (compute: AggregateFunction): AggregateDefinition => ({ compute, domain: 'numeric or boolean' });

const DEFINITIONS: Readonly<Record<Aggregate, AggregateDefinition>> = {
  Interpolative: all(interpolative),
  Average: numeric(average),
  TimeAverage: numeric(timeAverage),
  TimeAverage2: numeric(timeAverage2),
  Total: numeric(total1),
  Total2: numeric(total2),
  Minimum: numeric(extremeOf('minimum')),
  Maximum: numeric(extremeOf('maximum')),
  MinimumActualTime: numeric(actualTimeOf('minimum')),
  MaximumActualTime: numeric(actualTimeOf('maximum')),
  Range: numeric(range),
  Minimum2: numeric(boundedExtremeOf('minimum')),
  Maximum2: numeric(boundedExtremeOf('maximum')),
  MinimumActualTime2: numeric(boundedActualTimeOf('minimum')),
  MaximumActualTime2: numeric(boundedActualTimeOf('maximum')),
  Range2: numeric(range2),
  Count: all(count),
  NumberOfTransitions: state(numberOfTransitions),
  DurationInStateZero: state(durationInStateZero),
  DurationInStateNonZero: state(durationInStateNonZero),
  Start: all(start),
  End: all(end),
  Delta: numeric(delta),
  StartBound: all(startBound),
  EndBound: all(endBound),
  DeltaBounds: numeric(deltaBounds),
  DurationGood: all(durationGood),
  DurationBad: all(durationBad),
  PercentGood: all(percentGood),
  PercentBad: all(percentBad),
  WorstQuality: all(worstQuality),
  WorstQuality2: all(worstQuality2),
  StandardDeviationSample: numeric(standardDeviationSample),
  VarianceSample: numeric(varianceSample),
  StandardDeviationPopulation: numeric(standardDeviationPopulation),
  VariancePopulation: numeric(variancePopulation),
};

/** How to compute an aggregate, or `undefined` where it says nothing about values of that type. */
export function aggregateFunction(
  aggregate: Aggregate,
  dataType: MetricDataType | undefined,
): AggregateFunction | undefined {
  const { compute, domain } = DEFINITIONS[aggregate];
  const isFit =
    domain === 'all' || dataType === undefined || dataType === 'Double' || dataType === 'Int64'
      ? true
      : domain === 'numeric or boolean' && dataType === 'Boolean';
  return isFit ? compute : undefined;
}
